import { isJsonObject, ownValue, type JsonValue } from './json.js';

/**
 * Where two JSON values differ, as JSON Pointers (RFC 6901) to the smallest values that do, in order: a member that is in
 * one alone counts as a whole, and so does a list that became longer or shorter. Empty: they are equal. Pure.
 */
export function changedPointers(before: JsonValue | undefined, after: JsonValue | undefined): string[] {
  const found: string[] = [];
  collect(before, after, '', found);
  return found;
}

function collect(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  at: string,
  found: string[],
): void {
  if (before === after) return;
  if (isList(before) && isList(after)) {
    if (before.length !== after.length) found.push(at);
    else for (const [index, value] of before.entries()) collect(value, after[index], `${at}/${index}`, found);
    return;
  }
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      collect(ownValue(before, name), ownValue(after, name), `${at}/${escaped(name)}`, found);
    return;
  }
  found.push(at);
}

const isList = (value: JsonValue | undefined): value is readonly JsonValue[] => Array.isArray(value);
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
