import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { rowsOfTexts } from '../../model/diff-rows.js';
import { numberOf, type Change, type Version } from '../../model/history.js';
import { jsonChanges, type JsonChange } from '../../model/json-changes.js';
import { hrefOf } from '../../model/route.js';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { DiffTable } from '../../parts/diff-table.js';
import { FaultBox } from '../../parts/fault-box.js';
import { Outcome } from '../../parts/outcome.js';
import { Table } from '../../parts/table.js';
import { Fault } from '../../wire/fault.js';

interface Props {
  readonly session: Session;
  readonly nodeId: string;
  readonly serviceId: string;
  /** The number of a version, or `before`: the one before the other. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

const CONTEXT = 3;
const CONCERNS = new Set(['services', 'service_control']);

/** Any two versions of a service, field by field and line by line. */
export function DiffPage({ session, nodeId, serviceId, from, to }: Props): JSX.Element {
  const [versions, listFault] = useVersions(session, nodeId, serviceId);
  const after = versions?.find((change) => String(numberOf(change)) === to) ?? versions?.[0];
  const before =
    from === undefined || from === 'before'
      ? versions?.find((change) => after !== undefined && numberOf(change) < numberOf(after))
      : versions?.find((change) => String(numberOf(change)) === from);
  const [old, oldFault] = useVersion(session, before);
  const [now, nowFault] = useVersion(session, after);
  const [isWhole, setWhole] = useState(false);
  const fields = useMemo(
    () => (now === null ? [] : jsonChanges(old?.descriptor ?? undefined, now.descriptor ?? undefined)),
    [old, now],
  );
  const rows = useMemo(
    () =>
      now === null
        ? []
        : rowsOfTexts(textOf(old?.descriptor), textOf(now.descriptor), isWhole ? Infinity : CONTEXT),
    [old, now, isWhole],
  );
  const go = (one: string, other: string): void => {
    location.hash = hrefOf('changes', 'diff', nodeId, serviceId, one, other);
  };
  const fault = listFault ?? oldFault ?? nowFault;
  if (fault !== null)
    return (
      <FaultBox
        fault={
          fault.code === 'not_found'
            ? new Fault('ENOENT', 'There is no such version, or none that this session may see.')
            : fault
        }
      />
    );
  if (versions === null) return <p class="faint">Loading…</p>;
  if (after === undefined) return <p class="empty">No version of it is kept.</p>;
  const number = (change: Change | undefined): string =>
    change === undefined ? '' : String(numberOf(change));
  return (
    <>
      <div class="bar">
        <VersionChoice
          label="From"
          versions={versions}
          value={number(before)}
          none="nothing"
          onChange={(chosen) => go(chosen, number(after))}
        />
        <VersionChoice
          label="To"
          versions={versions}
          value={number(after)}
          onChange={(chosen) => go(number(before), chosen)}
        />
        <Outcome outcome={after.change} />
        <a href={hrefOf('changes', 'of', nodeId, serviceId)}>All changes of {serviceId}</a>
        <a href={hrefOf('services', nodeId, serviceId)}>The service</a>
      </div>
      {after.source != null && <p class="faint mono">{after.source}</p>}
      <section aria-labelledby="fields">
        <h2 id="fields">Fields</h2>
        <Table
          label="Fields that differ"
          titles={['Field', 'What', 'Before', 'After']}
          empty={now === null ? 'Loading…' : 'No field differs.'}
          rows={fields.slice(0, MAX_FIELDS).map((change) => ({ key: change.at, cells: cellsOf(change) }))}
        />
        {fields.length > MAX_FIELDS && <p class="faint">and {fields.length - MAX_FIELDS} more</p>}
      </section>
      <section aria-labelledby="lines">
        <div class="bar">
          <h2 id="lines">Lines</h2>
          <label class="check">
            <input
              type="checkbox"
              checked={isWhole}
              onChange={({ currentTarget }) => setWhole(currentTarget.checked)}
            />{' '}
            Whole
          </label>
        </div>
        <DiffTable
          label="Lines that differ"
          before={before === undefined ? 'nothing' : titleOf(before)}
          after={titleOf(after)}
          rows={rows}
        />
      </section>
    </>
  );
}

/** All versions that are kept, newest first, and those to come. */
function useVersions(
  { control }: Session,
  nodeId: string,
  serviceId: string,
): [readonly Change[] | null, Fault | null] {
  const state = useStore(control.state);
  const [versions, setVersions] = useState<readonly Change[] | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  useEffect(() => {
    if (state !== 'open') return undefined;
    const load = async (): Promise<void> => {
      const found: Change[] = [];
      for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
        const page = await control.request('history_list', {
          node_id: nodeId,
          service_id: serviceId,
          limit: 500,
          ...(after === undefined ? {} : { after }),
        });
        found.push(...page.changes);
        after = page.next;
      }
      setVersions(found);
      setFault(null);
    };
    const again = (): void => void load().catch((thrown: unknown) => setFault(Fault.from(thrown)));
    return control.watch({
      reset: again,
      event: ({ kind, node_id }) => {
        if (node_id === nodeId && CONCERNS.has(kind)) again();
      },
    });
  }, [control, state]);
  return [versions, fault];
}

function useVersion({ control }: Session, change: Change | undefined): [Version | null, Fault | null] {
  const [found, setFound] = useState<Version | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const n = change === undefined ? null : numberOf(change);
  useEffect(() => {
    setFound(null);
    setFault(null);
    if (change === undefined || n === null) return undefined;
    let isWanted = true;
    control.request('history_get', { node_id: change.node_id, service_id: change.service_id, n }).then(
      (version) => isWanted && setFound(version),
      (thrown: unknown) => isWanted && setFault(Fault.from(thrown)),
    );
    return () => {
      isWanted = false;
    };
  }, [control, n]);
  return [found, fault];
}

function VersionChoice({
  label,
  versions,
  value,
  none,
  onChange,
}: {
  readonly label: string;
  readonly versions: readonly Change[];
  readonly value: string;
  readonly none?: string;
  readonly onChange: (chosen: string) => void;
}): JSX.Element {
  return (
    <label>
      <span class="label">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {none !== undefined && value === '' && <option value="">{none}</option>}
        {versions.map((change) => (
          <option key={numberOf(change)} value={String(numberOf(change))}>
            {titleOf(change)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** How a version is named in a choice and above its text. */
function titleOf(change: Change): string {
  const at = new Date(change.timestamp_ms).toISOString().replace('T', ' ').slice(0, 19);
  const version = change.version === null ? '' : `, version ${change.version}`;
  return `${numberOf(change)} · ${at} · ${change.change}${version}`;
}

const textOf = (descriptor: unknown): string =>
  descriptor == null ? '' : `${JSON.stringify(descriptor, null, 2)}\n`;

const MAX_FIELDS = 200;
const MAX_VALUE_CHARS = 400;

function cellsOf({ at, kind, before, after }: JsonChange): JSX.Element[] {
  return [
    <code>{at === '' ? 'the whole' : at}</code>,
    <Outcome outcome={kind === 'changed' ? 'updated' : kind} />,
    <Value value={before} />,
    <Value value={after} />,
  ];
}

function Value({ value }: { readonly value: unknown }): JSX.Element {
  if (value === undefined) return <span class="faint">–</span>;
  const text = JSON.stringify(value);
  return (
    <code class="value">{text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text}</code>
  );
}
