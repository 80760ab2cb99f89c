import { readdirSync } from 'node:fs';
import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { schemaAt } from '../payload-items.js';
import type { Candidate } from './candidate.js';

/**
 * Items of a request that may stand at the cursor (`payload-items.ts` reads them): keys that the schema has, after a sign values
 * that it takes, after `@` files. Without a schema, the keys of a request that the service shows.
 */
export function payloadCandidates(
  input: JsonObject | null,
  template: JsonObject | null,
  items: readonly string[],
  current: string,
): readonly Candidate[] {
  const [, head = '', sign = '', text = ''] =
    /^((?:\[[^\]]*\]?|[^=:@])*)(:=@|:=|=@|=|@)([^]*)$/.exec(current) ?? [];
  if (sign.endsWith('@')) return filesBelow(`${head}${sign}`, text);
  if (sign !== '') {
    const values = valuesOf(schemaAt(input ?? undefined, input ?? undefined, stepsOf(head)), sign === ':=');
    return values.map((value) => ({ value: `${head}${sign}${value}` }));
  }
  const given = new Set(items.map((item) => /^[^[=:@]+/.exec(item)?.[0]));
  const open = current.slice(0, current.lastIndexOf('[') + 1);
  if (open !== '') {
    const holder = schemaAt(input ?? undefined, input ?? undefined, stepsOf(open));
    if (isJsonObject(holder) && ownValue(holder, 'type') === 'array') return [{ value: `${open}]=` }];
    return keysOf(input, stepsOf(open), (name) => `${open}${name}]`);
  }
  const keys = keysOf(input, [], (name) => name).filter(({ value }) => {
    const name = /^[^[=:@]+/.exec(value)?.[0];
    return !given.has(name) || value.endsWith('[') || value.includes('[]');
  });
  if (keys.length > 0 || given.size > 0) return keys;
  return Object.keys(template ?? {}).map((name) => ({ value: `${name}=` }));
}

/** `a[b][` leads to what `a` has as its `b`, `a[]` to what its list holds. */
const stepsOf = (key: string): string[] => [
  key.replace(/\[[^]*$/, ''),
  ...[...key.matchAll(/\[([^\]]*)\]/g)].map(([, step = '']) => step),
];

/** What stands in an object, those that it must have first; each as far as it is certain how it goes on. */
function keysOf(
  root: JsonObject | null,
  steps: readonly string[],
  spell: (name: string) => string,
): readonly Candidate[] {
  const object = schemaAt(root ?? undefined, root ?? undefined, steps);
  const properties = isJsonObject(object) ? ownValue(object, 'properties') : undefined;
  if (!isJsonObject(object) || !isJsonObject(properties)) return [];
  const required = ownValue(object, 'required');
  const isRequired = (name: string): boolean => Array.isArray(required) && required.includes(name);
  const names = Object.keys(properties).filter((name) => !/[\\[\]=:@]/.test(name));
  return names
    .sort((one, other) => Number(isRequired(other)) - Number(isRequired(one)))
    .map((name) => {
      const schema = schemaAt(root ?? undefined, root ?? undefined, [...steps, name]);
      return { value: `${spell(name)}${signFor(schema)}`, about: aboutOf(schema) };
    });
}

function signFor(schema: JsonValue | undefined): string {
  if (!isJsonObject(schema)) return '=';
  const properties = ownValue(schema, 'properties');
  if (isJsonObject(properties))
    return Object.hasOwn(properties, 'base64') && Object.hasOwn(properties, 'filename') ? '@' : '[';
  const type = ownValue(schema, 'type');
  if (type === 'array') return takesObject(ownValue(schema, 'items')) ? '[]:=' : '[]=';
  return takesObject(schema) ? ':=' : '=';
}

const takesObject = (schema: JsonValue | undefined): boolean =>
  isJsonObject(schema) && ownValue(schema, 'type') === 'object';

function aboutOf(schema: JsonValue | undefined): string | undefined {
  if (!isJsonObject(schema)) return undefined;
  const [description, title, type] = ['description', 'title', 'type'].map((name) => ownValue(schema, name));
  const said = description ?? title ?? type;
  return typeof said === 'string' ? said : undefined;
}

/** What a schema takes, where that can be counted; after `:=`, as JSON. */
function valuesOf(schema: JsonValue | undefined, asJson: boolean): string[] {
  if (!isJsonObject(schema)) return [];
  const listed = ownValue(schema, 'enum');
  const constant = ownValue(schema, 'const');
  const values: readonly JsonValue[] = Array.isArray(listed)
    ? listed
    : constant !== undefined
      ? [constant]
      : ownValue(schema, 'type') === 'boolean'
        ? [true, false]
        : [];
  return values.map((value) => (typeof value === 'string' && !asJson ? value : JSON.stringify(value)));
}

/** A shell completes no files in the midst of a word. */
function filesBelow(head: string, path: string): Candidate[] {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const isHidden = path.slice(folder.length).startsWith('.');
  return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true })
    .filter(({ name }) => isHidden || !name.startsWith('.'))
    .map((entry) => ({ value: `${head}${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }));
}
