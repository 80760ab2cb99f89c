import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { looksAt } from '../model/request-faults.js';
import { snippetsOf } from '../model/snippets.js';
import { FaultBox } from '../parts/fault-box.js';
import { JsonEditor } from '../parts/json-editor.js';
import { SchemaForm } from '../parts/schema-form.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';

interface Props {
  readonly files: FilesLink;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly dir: string;
  readonly schema: unknown;
  readonly template: string;
  readonly mayInvoke: boolean;
  /** The request as it was written; null: the template. */
  readonly typed: string | null;
  readonly onTyped: (text: string | null) => void;
  /** The request was accepted as this job. */
  readonly onJob: (id: string, key: string) => void;
}

/** A request by form or as JSON, one beside the other; and the same call for programs. */
export function CallForm({
  files,
  nodeId,
  serviceId,
  dir,
  schema,
  template,
  mayInvoke,
  typed,
  onTyped: setTyped,
  onJob,
}: Props): JSX.Element {
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault | null>(null);
  const text = typed ?? template;
  const { value, faults } = useMemo(() => looksAt(text, schema), [text, schema]);
  const offered = useMemo(() => withKey(schema), [schema]);
  const key = typeof value?._key === 'string' ? value._key : '';
  const put = (request: Record<string, unknown>): void => setTyped(`${JSON.stringify(request, null, 2)}\n`);
  const setKey = (given: string): void => {
    const { _key: _, ...rest } = value ?? {};
    put(given === '' ? rest : { _key: given, ...rest });
  };
  const call = async (): Promise<void> => {
    setBusy(true);
    try {
      const reply = await files.exchange(`${dir}/control/submit.json`, text);
      setFault(null);
      onJob((JSON.parse(reply) as { invocation_id: string }).invocation_id, key);
    } catch (thrown) {
      setFault(calledInVain(Fault.from(thrown), key));
    }
    setBusy(false);
  };
  return (
    <section class="call" aria-labelledby="call">
      <h2 id="call">Call</h2>
      <div class="two">
        <div>
          <SchemaForm schema={schema} value={value} faults={faults} onChange={put} />
          <div class="field">
            <label for="key">Key</label>
            <input
              id="key"
              type="text"
              class="mono"
              value={key}
              disabled={value === undefined}
              autocomplete="off"
              spellcheck={false}
              onInput={({ currentTarget }) => setKey(currentTarget.value)}
            />
            <p class="faint">With a key, the same request runs once, however often it is sent.</p>
          </div>
        </div>
        <JsonEditor
          id="request"
          label="Request, as JSON"
          text={text}
          schema={offered}
          faults={faults}
          onText={setTyped}
        />
      </div>
      <div class="bar">
        <button
          type="button"
          class="primary"
          disabled={!mayInvoke || isBusy || value === undefined || faults.length > 0}
          onClick={() => void call()}
        >
          Call
        </button>
        <button type="button" onClick={() => setTyped(null)} disabled={typed === null}>
          Start from the template
        </button>
        {!mayInvoke && <span class="faint">This session may not call it now.</span>}
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      <details>
        <summary>The same call from a program</summary>
        {snippetsOf(nodeId, serviceId, text).map(([language, snippet]) => (
          <Snippet key={language} language={language} text={snippet} />
        ))}
      </details>
    </section>
  );
}

/** Whether a call ran whose answer was lost, nobody knows here: what to do about it. */
function calledInVain(fault: Fault, key: string): Fault {
  if (fault.code !== 'EHOSTDOWN') return fault;
  const hint =
    key === ''
      ? 'It may run: look among the jobs before you call again. With a key you could just call again.'
      : 'Call again: with its key it runs once, however often it is sent.';
  return new Fault(fault.code, fault.message, hint);
}

/** The schema with the key, which every request may have. */
function withKey(schema: unknown): unknown {
  const key = {
    type: 'string',
    description: 'With it, the same request runs once, however often it is sent.',
  };
  return { anyOf: [schema, { properties: { _key: key } }] };
}

function Snippet({ language, text }: { readonly language: string; readonly text: string }): JSX.Element {
  const [said, setSaid] = useState('');
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setSaid('Copied.'),
      () => setSaid('The browser does not let this page copy; mark it and copy by hand.'),
    );
  };
  return (
    <section class="output">
      <div class="bar">
        <h3>{language}</h3>
        <button type="button" class="quiet" onClick={copy}>
          Copy <span class="visually-hidden">the {language} call</span>
        </button>
        <span role="status" class="faint">
          {said}
        </span>
      </div>
      <pre tabIndex={0} aria-label={`${language} call`}>
        {text}
      </pre>
    </section>
  );
}
