/** What differs at one place of two documents. */
export interface JsonChange {
  /** JSON Pointer; '' for the whole. */
  readonly at: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** Undefined where it was not there. */
  readonly before: unknown;
  readonly after: unknown;
}

/** The fields that differ, in the order of the documents; objects are gone through, lists item by item. */
export function jsonChanges(before: unknown, after: unknown, at = ''): readonly JsonChange[] {
  if (isSame(before, after)) return [];
  const [old, now] = [membersOf(before), membersOf(after)];
  if (old === null || now === null || Array.isArray(before) !== Array.isArray(after)) {
    const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
    return [{ at, kind, before, after }];
  }
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names].flatMap((name) => jsonChanges(old.get(name), now.get(name), `${at}/${escaped(name)}`));
}

function isSame(one: unknown, other: unknown): boolean {
  return (
    one === other ||
    (one !== undefined && other !== undefined && JSON.stringify(one) === JSON.stringify(other))
  );
}

function membersOf(value: unknown): ReadonlyMap<string, unknown> | null {
  return value !== null && typeof value === 'object' ? new Map(Object.entries(value)) : null;
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** The text of a document as people read it, and for its lines the places that they show. */
export function linesOf(value: unknown): readonly { readonly text: string; readonly at: string }[] {
  const lines: { text: string; at: string }[] = [];
  const put = (head: string, one: unknown, at: string, depth: number, tail: string): void => {
    const pad = '  '.repeat(depth);
    const members = membersOf(one);
    if (members === null || members.size === 0) {
      lines.push({ text: `${pad}${head}${JSON.stringify(one)}${tail}`, at });
      return;
    }
    const isList = Array.isArray(one);
    lines.push({ text: `${pad}${head}${isList ? '[' : '{'}`, at });
    let left = members.size;
    for (const [name, member] of members)
      put(
        isList ? '' : `${JSON.stringify(name)}: `,
        member,
        `${at}/${escaped(name)}`,
        depth + 1,
        --left > 0 ? ',' : '',
      );
    lines.push({ text: `${pad}${isList ? ']' : '}'}${tail}`, at });
  };
  put('', value, '', 0, '');
  return lines;
}
