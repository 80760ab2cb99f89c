/** One line of the audit log. */
export interface AuditRecord extends Readonly<Record<string, unknown>> {
  readonly audit_id: number;
  readonly act: string;
  readonly outcome: string;
}

export interface AuditFilter {
  /** Words that must all be found in the record. */
  readonly words: string;
  /** Empty: any. */
  readonly act: string;
  readonly outcome: string;
}

/** With those that came since, newest first, and no more than `most`. */
export function withRecords(
  known: readonly AuditRecord[],
  fresh: readonly AuditRecord[],
  most: number,
): readonly AuditRecord[] {
  const last = known[0]?.audit_id ?? -1;
  const added = fresh.filter(({ audit_id }) => audit_id > last);
  return added.length === 0 ? known : [...[...added].reverse(), ...known].slice(0, most);
}

const texts = new WeakMap<AuditRecord, string>();

export function recordsMatching(
  records: readonly AuditRecord[],
  { words, act, outcome }: AuditFilter,
): readonly AuditRecord[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return records.filter(
    (record) =>
      (act === '' || record.act === act) &&
      (outcome === '' || record.outcome === outcome) &&
      wanted.every((word) => textOf(record).includes(word)),
  );
}

function textOf(record: AuditRecord): string {
  let text = texts.get(record);
  if (text === undefined) {
    text = JSON.stringify(record).toLowerCase();
    texts.set(record, text);
  }
  return text;
}

/** What the record is about. */
export function addressOf({ origin, service_id, target }: AuditRecord): string {
  return [origin, service_id, target]
    .filter((part) => part != null)
    .map((part) => (typeof part === 'string' ? part : JSON.stringify(part)))
    .join(' ');
}
