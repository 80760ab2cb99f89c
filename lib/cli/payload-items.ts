import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  FsError,
  isJsonObject,
  mediaTypeOf,
  ownValue,
  type JsonObject,
  type JsonValue,
} from '../core/index.js';

type Draft = Record<string, unknown>;

/** `key=text`, `key:=json`, `key=@file`, `key:=@file` or `key@file`; a backslash takes its meaning from a character. */
const ITEM = /^((?:\\.|[^\\=@:]|:(?!=))+)(:=@|:=|=@|=|@)([^]*)$/;

/** Whether words on a command line are items of a request, rather than its JSON. */
export function areItems(words: readonly string[]): boolean {
  const [first] = words;
  return first !== undefined && first !== '-' && !/^\s*[{[]/.test(first);
}

/**
 * The request that items make, as httpie has them. Text becomes a number, boolean or null only where `schema` takes
 * nothing else for its key.
 * @throws FsError EINVAL for what is no item; what reading a file throws
 */
export function payloadFromItems(items: readonly string[], schema: JsonValue | undefined): JsonObject {
  const payload: Draft = {};
  for (const item of items) {
    const [, key = '', sign = '', text = ''] = ITEM.exec(item) ?? [];
    if (sign === '') throw notAnItem(item);
    const path = pathOf(key, item);
    put(payload, path, valueOf(sign, text, schemaAt(schema, schema, path)), item);
  }
  return payload as JsonObject;
}

function notAnItem(item: string): FsError {
  return new FsError('EINVAL', `${JSON.stringify(item)} is not part of a request.`, {
    hint: 'Write key=text, key:=json, list[]=text, key=@file, key:=@file or key@file; or one JSON object.',
  });
}

/** The steps of `a[b][]`: names, and `''` for the end of a list. */
function pathOf(key: string, item: string): string[] {
  const [, first = '', rest = ''] = /^((?:\\.|[^\\[\]])+)((?:\[(?:\\.|[^\\[\]])*\])*)$/.exec(key) ?? [];
  if (first === '') throw notAnItem(item);
  const steps = [...rest.matchAll(/\[((?:\\.|[^\\[\]])*)\]/g)].map(([, step = '']) => step);
  return [first, ...steps].map((step) => step.replace(/\\(.)/g, '$1'));
}

function put(payload: Draft, path: readonly string[], value: JsonValue, item: string): void {
  let holder: unknown = payload;
  for (const [at, step] of path.entries()) {
    const isLast = at === path.length - 1;
    const next: unknown = isLast ? value : isIndex(path[at + 1] ?? '') ? [] : {};
    if (Array.isArray(holder)) {
      if (!isIndex(step)) throw mixed(item);
      const list = holder as unknown[];
      const index = step === '' ? list.length : Number(step);
      // A place is taken or the next: a list of holes is no list.
      if (index > list.length) throw mixed(item);
      if (isLast || list[index] === undefined) list[index] = next;
      holder = list[index];
    } else {
      if (typeof holder !== 'object' || holder === null || (at > 0 && step === '')) throw mixed(item);
      const object = holder as Draft;
      if (isLast || !Object.hasOwn(object, step))
        Object.defineProperty(object, step, {
          value: next,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      holder = object[step];
    }
  }
}

const isIndex = (step: string): boolean => /^\d{0,6}$/.test(step);

function mixed(item: string): FsError {
  return new FsError('EINVAL', `${JSON.stringify(item)} does not fit to the items before it.`, {
    hint: 'A list has list[]=… or list[0]=…, list[1]=… in order; an object has object[name]=….',
  });
}

function valueOf(sign: string, text: string, schema: JsonValue | undefined): JsonValue {
  switch (sign) {
    case '=':
      return fromText(text, schema);
    case '=@':
      return readBytes(text).toString('utf8');
    case ':=':
      return jsonFrom(text, text);
    case ':=@':
      return jsonFrom(readBytes(text).toString('utf8'), text);
    default:
      return {
        filename: basename(text),
        content_type: mediaTypeOf(text) ?? 'application/octet-stream',
        base64: readBytes(text).toString('base64'),
      };
  }
}

function jsonFrom(text: string, name: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (thrown) {
    throw new FsError('EINVAL', `${JSON.stringify(name)} is not JSON.`, {
      hint: 'Write key=text for text; after := comes JSON.',
      cause: thrown,
    });
  }
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (thrown) {
    throw FsError.from(thrown);
  }
}

const PLAIN = new Map<string, (text: string) => JsonValue | undefined>([
  ['integer', (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined)],
  ['number', (text) => (/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined)],
  ['boolean', (text) => (text === 'true' ? true : text === 'false' ? false : undefined)],
  ['null', (text) => (text === 'null' ? null : undefined)],
]);

function fromText(text: string, schema: JsonValue | undefined): JsonValue {
  const types = typesOf(schema);
  if (types.includes('string')) return text;
  for (const type of types) {
    const value = PLAIN.get(type)?.(text);
    if (value !== undefined) return value;
  }
  return text;
}

/** The types that a schema takes; text where it does not say. */
function typesOf(schema: JsonValue | undefined): readonly string[] {
  if (!isJsonObject(schema)) return ['string'];
  const type = ownValue(schema, 'type');
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((one) => typeof one === 'string');
  const values = ownValue(schema, 'enum');
  if (Array.isArray(values))
    return [...new Set(values.map((value) => (value === null ? 'null' : typeof value)))];
  return ['string'];
}

/** The part of a schema for what stands at `path`. */
export function schemaAt(
  root: JsonValue | undefined,
  schema: JsonValue | undefined,
  path: readonly string[],
): JsonValue | undefined {
  let one = dereferenced(root, schema);
  for (const step of path) {
    if (!isJsonObject(one)) return undefined;
    const properties = ownValue(one, 'properties');
    const property = isJsonObject(properties) ? ownValue(properties, step) : undefined;
    one = dereferenced(root, property ?? (isIndex(step) ? ownValue(one, 'items') : undefined));
  }
  return one;
}

function dereferenced(root: JsonValue | undefined, schema: JsonValue | undefined): JsonValue | undefined {
  let one = schema;
  for (let chain = 0; chain < 16 && isJsonObject(one); chain++) {
    const ref = ownValue(one, '$ref');
    if (typeof ref !== 'string' || !ref.startsWith('#')) break;
    let target: JsonValue | undefined = root;
    for (const step of ref.split('/').slice(1))
      target = isJsonObject(target)
        ? ownValue(target, step.replaceAll('~1', '/').replaceAll('~0', '~'))
        : undefined;
    one = target;
  }
  return one;
}
