import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import {
  addressOf,
  recordsMatching,
  withRecords,
  type AuditFilter,
  type AuditRecord,
} from '../../model/audit-records.js';
import { gathered } from '../../model/gathered.js';
import { FaultBox } from '../../parts/fault-box.js';
import { Table } from '../../parts/table.js';
import { Time } from '../../parts/time.js';
import type { ControlLink } from '../../wire/control.js';
import { Fault } from '../../wire/fault.js';

const FIRST = 200;
const MOST = 5000;
const LOOK_MS = 500;
const MAX_SHOWN = 300;

/** The audit log, the newest first and as it grows, by words and by what was done. */
export function Audit({ control }: { readonly control: ControlLink }): JSX.Element {
  const [records, setRecords] = useState<readonly AuditRecord[] | null>(null);
  const [wanted, setWanted] = useState(FIRST);
  const [filter, setFilter] = useState<AuditFilter>({ words: '', act: '', outcome: '' });
  const [fault, setFault] = useState<Fault | null>(null);
  const load = useMemo(() => {
    let newest: number | undefined;
    return gathered(async () => {
      try {
        const after = newest === undefined ? {} : { after_id: newest };
        const found = (await control.request('audit_tail', { limit: wanted, ...after }))
          .records as AuditRecord[];
        newest = found.at(-1)?.audit_id ?? newest;
        setRecords((known) => withRecords(after.after_id === undefined ? [] : (known ?? []), found, wanted));
        setFault(null);
      } catch (thrown) {
        const failed = Fault.from(thrown);
        if (failed.code !== 'EHOSTDOWN') setFault(failed);
      }
    }, LOOK_MS);
  }, [control, wanted]);
  useEffect(() => {
    const again = (): void => {
      if (control.state.value === 'open') void load();
    };
    again();
    const stops = [control.state.on(again), control.watch({ reset: () => undefined, event: again })];
    return () => stops.forEach((stop) => stop());
  }, [control, load]);
  const all = records ?? [];
  const shown = useMemo(() => recordsMatching(all, filter), [records, filter]);
  const change = (changed: Partial<AuditFilter>): void => setFilter({ ...filter, ...changed });
  return (
    <section aria-labelledby="audit">
      <div class="bar">
        <h2 id="audit">Audit log</h2>
        <button type="button" class="quiet" onClick={() => void load()}>
          Look again
        </button>
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      <div class="bar" role="search">
        <label class="grow">
          <span class="label">Words, anywhere in a record</span>
          <input
            type="search"
            value={filter.words}
            onInput={({ currentTarget }) => change({ words: currentTarget.value })}
          />
        </label>
        <Choice
          label="Act"
          value={filter.act}
          choices={all.map(({ act }) => act)}
          onChange={(act) => change({ act })}
        />
        <Choice
          label="Outcome"
          value={filter.outcome}
          choices={all.map(({ outcome }) => outcome)}
          onChange={(outcome) => change({ outcome })}
        />
        <p class="count" role="status">
          {shown.length} of the newest {all.length}
        </p>
        {wanted < MOST && all.length >= wanted && (
          <button type="button" onClick={() => setWanted(MOST)}>
            The newest {MOST.toLocaleString('en')}
          </button>
        )}
      </div>
      <Table
        label="Audit log"
        titles={['When (UTC)', 'Act', 'Outcome', 'Role', 'Agent', 'Project', 'About']}
        empty="Nothing."
        rows={shown.slice(0, MAX_SHOWN).map((record) => ({
          key: String(record.audit_id),
          cells: [
            typeof record.timestamp_ms === 'number' ? <Time ms={record.timestamp_ms} /> : '–',
            record.act,
            record.outcome,
            textOf(record.role),
            textOf(record.agent_id),
            textOf(record.project_id),
            addressOf(record),
          ],
        }))}
      />
      {shown.length > MAX_SHOWN && (
        <p class="faint">and {shown.length - MAX_SHOWN} more: narrow the filter.</p>
      )}
    </section>
  );
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '–');

function Choice({
  label,
  value,
  choices,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly choices: readonly string[];
  readonly onChange: (value: string) => void;
}): JSX.Element {
  return (
    <label>
      <span class="label">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">any</option>
        {[...new Set(value === '' ? choices : [value, ...choices])].sort().map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    </label>
  );
}
