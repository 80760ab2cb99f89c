// {"from": …, "to": …} -> the changes that turn one JSON document into the other, as a JSON Patch (RFC 6902).
//
// A driver of `"type": "module"`: an ES module that exports `invoke`. The node keeps it loaded in a worker
// thread, so a call costs no process. What it returns is the result; what it throws is the failure.

/** One step of a JSON Patch. */
export interface Step {
  readonly op: 'add' | 'remove' | 'replace';
  /** A JSON Pointer (RFC 6901). */
  readonly path: string;
  readonly value?: unknown;
}

export async function invoke(payload: Record<string, unknown>): Promise<{ equal: boolean; patch: Step[] }> {
  for (const key of ['from', 'to'])
    if (!Object.hasOwn(payload, key)) throw new TypeError(`the payload has no "${key}"`);
  const patch: Step[] = [];
  compare(payload['from'], payload['to'], '', patch);
  return { equal: patch.length === 0, patch };
}

function compare(from: unknown, to: unknown, path: string, patch: Step[]): void {
  if (Array.isArray(from) && Array.isArray(to)) compareArrays(from, to, path, patch);
  else if (isObject(from) && isObject(to)) compareObjects(from, to, path, patch);
  else if (from !== to) patch.push({ op: 'replace', path, value: to });
}

function compareObjects(
  from: Record<string, unknown>,
  to: Record<string, unknown>,
  path: string,
  patch: Step[],
): void {
  for (const key of Object.keys(from)) {
    const below = `${path}/${pointerPart(key)}`;
    if (Object.hasOwn(to, key)) compare(from[key], to[key], below, patch);
    else patch.push({ op: 'remove', path: below });
  }
  for (const key of Object.keys(to))
    if (!Object.hasOwn(from, key))
      patch.push({ op: 'add', path: `${path}/${pointerPart(key)}`, value: to[key] });
}

/** What both share at the start and at the end stays; what is between is compared place by place. */
function compareArrays(from: readonly unknown[], to: readonly unknown[], path: string, patch: Step[]): void {
  let start = 0;
  while (start < from.length && start < to.length && isEqual(from[start], to[start])) start++;
  let end = 0;
  while (
    end < from.length - start &&
    end < to.length - start &&
    isEqual(from[from.length - 1 - end], to[to.length - 1 - end])
  )
    end++;
  const old = from.slice(start, from.length - end);
  const fresh = to.slice(start, to.length - end);
  const both = Math.min(old.length, fresh.length);
  for (let i = 0; i < both; i++) compare(old[i], fresh[i], `${path}/${start + i}`, patch);
  for (let i = old.length; i > both; i--) patch.push({ op: 'remove', path: `${path}/${start + i - 1}` });
  for (let i = both; i < fresh.length; i++)
    patch.push({ op: 'add', path: `${path}/${start + i}`, value: fresh[i] });
}

function isEqual(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, index) => isEqual(item, other[index]));
  if (!isObject(one) || !isObject(other)) return one === other;
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key], other[key]))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function pointerPart(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
