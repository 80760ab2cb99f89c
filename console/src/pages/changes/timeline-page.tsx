import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { gathered } from '../../model/gathered.js';
import { numberOf, type Change, type ReloadSummary } from '../../model/history.js';
import { hrefOf } from '../../model/route.js';
import type { Session } from '../../model/session.js';
import {
  keyOfChange,
  keyOfReload,
  timelineOf,
  withNewest,
  type Happening,
  type Part,
} from '../../model/timeline.js';
import { moveByArrows } from '../../parts/arrow-keys.js';
import { FaultBox } from '../../parts/fault-box.js';
import { Outcome } from '../../parts/outcome.js';
import { Time } from '../../parts/time.js';
import { Fault } from '../../wire/fault.js';

interface Props {
  readonly session: Session;
  readonly isAdmin: boolean;
  /** Undefined: of all nodes. */
  readonly nodeId: string | undefined;
  readonly serviceId: string | undefined;
}

interface Lists {
  readonly changes: Part<Change>;
  readonly reloads: Part<ReloadSummary>;
}

const NONE = { items: [], next: undefined };
const LOOK_MS = 300;
const CONCERNS = new Set(['services', 'service_control', 'node_reload_report', 'node_deleted']);

/** Reloads and changes of services, newest first, as they happen. */
export function TimelinePage({ session, isAdmin, nodeId, serviceId }: Props): JSX.Element {
  const { control } = session;
  const [lists, setLists] = useState<Lists | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [words, setWords] = useState('');
  const where = {
    ...(nodeId === undefined ? {} : { node_id: nodeId }),
    ...(serviceId === undefined ? {} : { service_id: serviceId }),
  };
  const withReloads = isAdmin && serviceId === undefined;
  const ask = async (
    after: { changes?: string | undefined; reloads?: string | undefined } | null,
  ): Promise<Lists> => {
    const changes =
      after !== null && after.changes === undefined
        ? NONE
        : await control.request('history_list', { ...where, ...pageAfter(after?.changes) });
    const reloads =
      !withReloads || (after !== null && after.reloads === undefined)
        ? NONE
        : await control.request('reload_list', { ...where, ...pageAfter(after?.reloads) });
    return {
      changes: 'changes' in changes ? { items: changes.changes, next: changes.next } : NONE,
      reloads: 'reloads' in reloads ? { items: reloads.reloads, next: reloads.next } : NONE,
    };
  };
  const failed = (thrown: unknown): void => {
    const found = Fault.from(thrown);
    if (found.code !== 'EHOSTDOWN') setFault(found);
  };
  const load = useMemo(
    () =>
      gathered(async () => {
        try {
          const newest = await ask(null);
          setFault(null);
          setLists((known) =>
            known === null
              ? newest
              : {
                  changes: withNewest(known.changes, newest.changes, keyOfChange),
                  reloads: withNewest(known.reloads, newest.reloads, keyOfReload),
                },
          );
        } catch (thrown) {
          failed(thrown);
        }
      }, LOOK_MS),
    [control, withReloads],
  );
  useEffect(
    () =>
      control.watch({
        reset: () => {
          // What the session may see may be less by now.
          setLists(null);
          void load();
        },
        event: ({ kind, node_id }) => {
          if (CONCERNS.has(kind) && (nodeId === undefined || node_id === nodeId)) void load();
        },
      }),
    [control, load],
  );
  const older = async ({ changes, reloads }: Lists): Promise<void> => {
    try {
      const more = await ask({ changes: changes.next, reloads: reloads.next });
      setLists({
        changes: { items: [...changes.items, ...more.changes.items], next: more.changes.next },
        reloads: { items: [...reloads.items, ...more.reloads.items], next: more.reloads.next },
      });
    } catch (thrown) {
      failed(thrown);
    }
  };
  const all = useMemo(() => (lists === null ? [] : timelineOf(lists.changes, lists.reloads)), [lists]);
  const shown = useMemo(() => matching(all, words), [all, words]);
  const hasMore = lists !== null && (lists.changes.next ?? lists.reloads.next) !== undefined;
  return (
    <>
      <div class="bar" role="search">
        <label class="grow">
          <span class="label">Filter</span>
          <input
            type="search"
            value={words}
            placeholder="node, service, file, outcome"
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => setWords(currentTarget.value)}
          />
        </label>
        <p class="count" role="status">
          {lists === null ? 'loading…' : `${shown.length.toLocaleString('en')} shown`}
        </p>
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      {lists !== null && shown.length === 0 && <p class="empty">Nothing has changed.</p>}
      <ol
        class="plain timeline"
        aria-label="What happened, newest first"
        onKeyDown={(event) => moveByArrows(event)}
      >
        {shown.map((one) => (
          <li key={one.key} class={`happening happening-${one.kind}`}>
            <Time ms={one.atMs} />
            {one.kind === 'change' ? <ChangeLine change={one.change} /> : <ReloadLine reload={one.reload} />}
          </li>
        ))}
      </ol>
      {hasMore && (
        <div class="bar">
          <button type="button" onClick={() => void older(lists)}>
            Older
          </button>
        </div>
      )}
    </>
  );
}

const pageAfter = (after: string | undefined): { after?: string } => (after === undefined ? {} : { after });

function matching(all: readonly Happening[], words: string): readonly Happening[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return all;
  return all.filter((one) => {
    const text = JSON.stringify(one.kind === 'change' ? one.change : one.reload).toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

function ChangeLine({ change }: { readonly change: Change }): JSX.Element {
  const { node_id, service_id, fields, source } = change;
  return (
    <>
      <Outcome outcome={change.change} />
      <span class="grow">
        <a href={hrefOf('changes', 'of', node_id)}>{node_id}</a> /{' '}
        <a href={hrefOf('changes', 'of', node_id, service_id)}>{service_id}</a>{' '}
        <span class="faint">{versionsOf(change)}</span>
        {fields.length > 0 && (
          <span class="fields">
            {fields.slice(0, MAX_FIELDS).map((field) => (
              <code key={field}>{field === '' ? 'much of it' : field}</code>
            ))}
            {fields.length > MAX_FIELDS && <span class="faint"> and {fields.length - MAX_FIELDS} more</span>}
          </span>
        )}
        {source != null && <span class="faint mono source">{source}</span>}
      </span>
      <a href={hrefOf('changes', 'diff', node_id, service_id, 'before', String(numberOf(change)))}>
        Diff <span class="visually-hidden">of {service_id}</span>
      </a>
    </>
  );
}

const MAX_FIELDS = 6;

function versionsOf({ previous_version, version }: Change): string {
  if (previous_version === null) return version === null ? '' : `version ${version}`;
  if (version === null) return `was version ${previous_version}`;
  return version === previous_version ? `version ${version}` : `version ${previous_version} → ${version}`;
}

function ReloadLine({ reload }: { readonly reload: ReloadSummary }): JSX.Element {
  const { node_id, n, reason, outcomes, faults, services } = reload;
  return (
    <>
      <span class={faults > 0 ? 'outcome outcome-refused' : 'outcome'}>
        <span aria-hidden="true">↻</span> {reason === 'start' ? 'start' : 'reload'}
      </span>
      <span class="grow">
        <a href={hrefOf('changes', 'of', node_id)}>{node_id}</a>{' '}
        {faults > 0 && (
          <strong class="failed">
            ✕ {faults} {faults === 1 ? 'fault' : 'faults'}{' '}
          </strong>
        )}
        <span class="faint">
          {Object.entries(outcomes)
            .filter(([, count]) => count > 0)
            .map(([outcome, count]) => `${count} ${outcome}`)
            .join(', ')}
        </span>
        {services.length > 0 && <span class="faint source">{services.join(', ')}</span>}
      </span>
      <a href={hrefOf('changes', 'reload', node_id, String(n))}>
        Report <span class="visually-hidden">of reload {n}</span>
      </a>
    </>
  );
}
