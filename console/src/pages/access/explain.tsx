import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { ACTIONS, explained } from '../../model/explain.js';
import { rowsOf } from '../../model/filter.js';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { moveByArrows } from '../../parts/arrow-keys.js';
import { FaultBox } from '../../parts/fault-box.js';
import { useList } from '../../parts/use-list.js';
import type { Fault } from '../../wire/fault.js';

interface Chosen {
  readonly who: string;
  readonly action: string;
}

const MAX_OFFERED = 50;

/** Who may do what to one service, and the rule that decides each. */
export function Explain({ session }: { readonly session: Session }): JSX.Element {
  const { control, catalog } = session;
  const view = useStore(catalog.view);
  const [typed, setTyped] = useState('');
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const offered = useMemo(
    () =>
      rowsOf(view, { words: typed.replace('/', ' '), state: '' })
        .rows.flatMap((row) => (row.kind === 'service' ? row.service : []))
        .slice(0, MAX_OFFERED)
        .map(({ node_id, service_id }) => `${node_id}/${service_id}`),
    [view, typed],
  );
  const slash = typed.indexOf('/');
  const [nodeId, serviceId] = [typed.slice(0, slash), typed.slice(slash + 1)];
  const isThere = slash > 0 && catalog.find(nodeId, serviceId) !== undefined;
  const projects = useList(
    control,
    useCallback(async () => (await control.request('project_list', {})).projects, [control]),
  );
  const tokens = useList(
    control,
    useCallback(async () => (await control.request('token_list', {})).tokens, [control]),
  );
  const permissions = usePermissions(session, isThere ? nodeId : null, serviceId);
  const matrix = useMemo(
    () =>
      permissions.found === null
        ? []
        : explained(
            { nodeId, serviceId, permissions: permissions.found.of as never },
            projects.items ?? [],
            tokens.items ?? [],
          ),
    [permissions, projects.items, tokens.items],
  );
  const rule = matrix
    .find(({ who }) => who === chosen?.who)
    ?.decisions.find(({ action }) => action === chosen?.action)?.decision;
  const fault = permissions.fault ?? projects.fault ?? tokens.fault;
  return (
    <section aria-labelledby="explain">
      <h2 id="explain">Who may do what, and why</h2>
      <label class="wide-label">
        <span class="label">Service, as node/service</span>
        <input
          type="text"
          class="mono"
          list="explain-services"
          value={typed}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
        <datalist id="explain-services">
          {offered.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      </label>
      {fault !== null && <FaultBox fault={fault} />}
      {matrix.length > 0 && (
        <>
          <div
            class="wide"
            role="group"
            aria-label="Who may do what"
            tabIndex={0}
            onKeyDown={(event) => moveByArrows(event, ACTIONS.length)}
          >
            <table class="matrix">
              <thead>
                <tr>
                  <th scope="col">Who</th>
                  {ACTIONS.map((action) => (
                    <th key={action} scope="col">
                      {action}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {matrix.map(({ key, who, decisions }) => (
                  <tr key={key}>
                    <th scope="row">{who}</th>
                    {decisions.map(({ action, decision: { allow } }) => (
                      <td key={action}>
                        <button
                          type="button"
                          class={allow ? 'quiet allowed' : 'quiet denied'}
                          aria-pressed={chosen?.who === who && chosen.action === action}
                          onClick={() => setChosen({ who, action })}
                        >
                          <span aria-hidden="true">{allow ? '✓' : '✕'}</span>
                          <span class="visually-hidden">
                            {who}, {action}: {allow ? 'allowed' : 'denied'}
                          </span>
                        </button>
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p role="status" class="rule">
            {rule === undefined || chosen === null ? (
              <span class="faint">Choose a field to see the rule that decides.</span>
            ) : (
              <>
                <strong class={rule.allow ? 'allowed' : 'denied'}>
                  {rule.allow ? '✓ allowed' : '✕ denied'}
                </strong>{' '}
                {chosen.who}, {chosen.action}: <code>{rule.rule}</code> {rule.reason}
              </>
            )}
          </p>
        </>
      )}
    </section>
  );
}

interface Permissions {
  /** As the descriptor says them. */
  readonly found: { readonly of: unknown } | null;
  readonly fault: Fault | null;
}

function usePermissions(
  { control, catalog }: Session,
  nodeId: string | null,
  serviceId: string,
): Permissions {
  // Another line of the catalog: the service may have changed.
  const line = nodeId === null ? undefined : catalog.find(nodeId, serviceId);
  const ask = useCallback(async () => {
    if (nodeId === null) return [];
    const { services } = await control.request('node_service_get', {
      node_id: nodeId,
      service_id: serviceId,
    });
    return [{ of: services[0]?.permissions }];
  }, [control, nodeId, serviceId, line]);
  const { items, fault } = useList(control, ask);
  const [found, setFound] = useState<Permissions['found']>(null);
  useEffect(() => setFound(nodeId === null ? null : (items?.[0] ?? null)), [items, nodeId]);
  return { found, fault };
}
