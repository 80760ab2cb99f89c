import type { JSX } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { FaultBox } from '../parts/fault-box.js';
import { Table } from '../parts/table.js';
import { useList } from '../parts/use-list.js';
import type { ControlLink } from '../wire/control.js';
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
          <Audit control={control} />
        </>
      ) : (
        <p class="faint">This page is for admins.</p>
      )}
    </section>
  );
}

const timeOf = (ms: number): JSX.Element => (
  <span class="time">{new Date(ms).toISOString().replace('T', ' ').slice(0, 19)}</span>
);

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
            timeOf(created_at_ms),
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
      <button type="button" class="quiet" onClick={() => void act(async () => undefined)}>
        Look again
      </button>
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
          cells: [<code>{prefix}</code>, timeOf(created_at_ms), timeOf(expires_at_ms)],
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
              timeOf(created_at_ms),
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

function Audit({ control }: { readonly control: ControlLink }): JSX.Element {
  const [words, setWords] = useState('');
  const ask = useCallback(
    async () =>
      [...(await control.request('audit_tail', { limit: 200 })).records].reverse() as Record<
        string,
        unknown
      >[],
    [control],
  );
  const { items, fault } = useList(control, ask);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = (items ?? []).filter((record) => {
    const text = JSON.stringify(record).toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  const said = (value: unknown): string =>
    typeof value === 'string' ? value : value == null ? '–' : JSON.stringify(value);
  return (
    <section aria-labelledby="audit">
      <h2 id="audit">Audit log</h2>
      {fault !== null && <FaultBox fault={fault} />}
      <label>
        <span class="label">Filter the newest 200 records</span>
        <input type="search" value={words} onInput={({ currentTarget }) => setWords(currentTarget.value)} />
      </label>
      <Table
        label="Audit log"
        titles={['When (UTC)', 'Act', 'Outcome', 'Role', 'Agent', 'Project', 'About']}
        empty="Nothing."
        rows={shown.map((record) => ({
          key: said(record.audit_id),
          cells: [
            typeof record.timestamp_ms === 'number' ? timeOf(record.timestamp_ms) : '–',
            said(record.act),
            said(record.outcome),
            said(record.role),
            said(record.agent_id),
            said(record.project_id),
            [record.origin, record.service_id, record.target]
              .filter((part) => part != null)
              .map(said)
              .join(' '),
          ],
        }))}
      />
    </section>
  );
}
