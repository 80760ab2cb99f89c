import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { FaultBox } from '../parts/fault-box.js';
import { Fault } from '../wire/fault.js';
import { codeFrom } from '../wire/sign-in.js';

interface Props {
  /** Why there is no session, where there was one or a link to one. */
  readonly fault: Fault | null;
  readonly isBusy: boolean;
  readonly onCode: (code: string) => void;
}

/** Without a session: how to get one. */
export function SignedOut({ fault, isBusy, onCode }: Props): JSX.Element {
  const [text, setText] = useState('');
  const code = codeFrom(text);
  return (
    <main class="page signed-out">
      <h1>Acheron</h1>
      {fault !== null && <FaultBox fault={fault} />}
      <p>
        Run <code>acheron console</code> where the control plane's token is, and open the link that it prints.
        It is good once, for a minute.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (code === null) return;
          setText('');
          onCode(code);
        }}
      >
        <label>
          <span class="label">Or paste the link here, to stay on this page</span>
          <input
            type="password"
            autocomplete="off"
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={code === null || isBusy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
