import type { JSX } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { FaultBox } from '../../parts/fault-box.js';
import { Table } from '../../parts/table.js';
import { Time } from '../../parts/time.js';
import { useList } from '../../parts/use-list.js';
import type { ControlLink } from '../../wire/control.js';
import { Audit } from './audit.js';
import { Explain } from './explain.js';
import { Projects } from './projects.js';

/** Who may do what, for admins. */
export function AccessPage({ session }: { readonly session: Session }): JSX.Element {
  const { control } = session;
  const welcome = useStore(control.welcome);
  return (
    <section class="page" aria-labelledby="access">
      <h1 id="access">Access</h1>
      {welcome?.role === 'admin' ? (
        <>
          <Pairing control={control} />
          <Invites control={control} />
          <Tokens control={control} />
          <Projects control={control} />
          <Explain session={session} />
          <Audit control={control} />
        </>
      ) : (
        <p class="faint">This page is for admins.</p>
      )}
    </section>
  );
}

function Pairing({ control }: { readonly control: ControlLink }): JSX.Element {
  const ask = useCallback(
    async () => (await control.request('node_join_pending_list', {})).pending,
    [control],
  );
  const { items, fault, act } = useList(control, ask);
  return (
    <section aria-labelledby="pairing">
      <h2 id="pairing">Machines that ask to join</h2>
      <p class="faint">Approve the code that you read on the machine itself.</p>
      {fault !== null && <FaultBox fault={fault} />}
      <Table
        label="Machines that ask to join"
        titles={['Code', 'Name', 'Address', 'Asked (UTC)', 'Decide']}
        empty="None."
        rows={(items ?? []).map(({ request_id, verification_code, node_name, address, created_at_ms }) => ({
          key: request_id,
          cells: [
            <code>{verification_code}</code>,
            node_name,
            address,
            <Time ms={created_at_ms} />,
            <>
              <button
                type="button"
                onClick={() => void act(() => control.request('node_join_approve', { request_id }))}
              >
                Approve <span class="visually-hidden">{verification_code}</span>
              </button>{' '}
              <button
                type="button"
                onClick={() => void act(() => control.request('node_join_deny', { request_id }))}
              >
                Deny <span class="visually-hidden">{verification_code}</span>
              </button>
            </>,
          ],
        }))}
      />
    </section>
  );
}

/** A secret that is shown this once, and forgotten when it is hidden. */
function ShownOnce({
  what,
  secret,
  onHide,
}: {
  readonly what: string;
  readonly secret: string;
  readonly onHide: () => void;
}): JSX.Element {
  return (
    <div class="once" role="status">
      <p>{what} It is not shown again.</p>
      <p>
        <code>{secret}</code>
      </p>
      <button type="button" onClick={onHide}>
        Hide it
      </button>
    </div>
  );
}

function Invites({ control }: { readonly control: ControlLink }): JSX.Element {
  const ask = useCallback(async () => (await control.request('node_invite_list', {})).invites, [control]);
  const { items, fault, act } = useList(control, ask);
  const [made, setMade] = useState<string | null>(null);
  return (
    <section aria-labelledby="invites">
      <h2 id="invites">Invites</h2>
      {fault !== null && <FaultBox fault={fault} />}
      <Table
        label="Invites"
        titles={['Begins with', 'Made (UTC)', 'Good until (UTC)']}
        empty="None is open."
        rows={(items ?? []).map(({ invite_id, prefix, created_at_ms, expires_at_ms }) => ({
          key: invite_id,
          cells: [<code>{prefix}</code>, <Time ms={created_at_ms} />, <Time ms={expires_at_ms} />],
        }))}
      />
      <button
        type="button"
        onClick={() =>
          void act(async () => setMade((await control.request('node_invite_create', {})).invite_token))
        }
      >
        Make an invite
      </button>
      {made !== null && (
        <ShownOnce
          what="One machine may join with this invite, once."
          secret={made}
          onHide={() => setMade(null)}
        />
      )}
    </section>
  );
}

function Tokens({ control }: { readonly control: ControlLink }): JSX.Element {
  const ask = useCallback(async () => (await control.request('token_list', {})).tokens, [control]);
  const { items, fault, act } = useList(control, ask);
  const [made, setMade] = useState<string | null>(null);
  const [agent, setAgent] = useState('');
  const [role, setRole] = useState<'user' | 'admin'>('user');
  const create = async (): Promise<void> => {
    const { token } = await control.request('token_create', { role, agent_id: agent === '' ? null : agent });
    setMade(token);
    setAgent('');
  };
  return (
    <section aria-labelledby="tokens">
      <h2 id="tokens">Tokens</h2>
      {fault !== null && <FaultBox fault={fault} />}
      <Table
        label="Tokens"
        titles={['Token', 'Role', 'Agent', 'Projects', 'Made (UTC)', 'State']}
        empty="None."
        rows={(items ?? []).map(
          ({ token_id, role: of, agent_id, projects, created_at_ms, revoked_at_ms }) => ({
            key: token_id,
            cells: [
              <code>{token_id}</code>,
              of,
              agent_id ?? '–',
              projects === null ? 'any' : projects.join(', '),
              <Time ms={created_at_ms} />,
              revoked_at_ms !== null ? (
                'revoked'
              ) : (
                <button
                  type="button"
                  onClick={() => void act(() => control.request('token_revoke', { token_id }))}
                >
                  Revoke <span class="visually-hidden">{token_id}</span>
                </button>
              ),
            ],
          }),
        )}
      />
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          void act(create);
        }}
      >
        <label>
          <span class="label">Role</span>
          <select
            value={role}
            onChange={({ currentTarget }) => setRole(currentTarget.value === 'admin' ? 'admin' : 'user')}
          >
            <option>user</option>
            <option>admin</option>
          </select>
        </label>
        <label>
          <span class="label">Agent (may be left out)</span>
          <input
            type="text"
            value={agent}
            autocomplete="off"
            onInput={({ currentTarget }) => setAgent(currentTarget.value)}
          />
        </label>
        <button type="submit">Make a token</button>
      </form>
      {made !== null && <ShownOnce what="The new token." secret={made} onHide={() => setMade(null)} />}
    </section>
  );
}
