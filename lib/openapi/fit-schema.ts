import { FsError, isJsonObject, type JsonObject, type JsonValue } from '../core/index.js';
import { compileInputSchema, MAX_SCHEMA_BYTES, pathFromPointer } from '../manifest/index.js';

/** Whoever calls a service reads its schema: a smaller one that says less of what lies deep is of more use. */
const MOST_BYTES = Math.floor(MAX_SCHEMA_BYTES / 2);
const MOST_REPAIRS = 100;

/**
 * A schema that can be used, as near to this one as possible: too large ones lose their descriptions, then what lies
 * deepest; a keyword that is wrong is left out. `note` hears of it.
 */
export function fitSchema(schema: JsonObject, note: (what: string) => void): JsonObject {
  let fitted = withoutUnused(schema);
  if (sizeOf(fitted) > MOST_BYTES) {
    note('descriptions within its schema, which was too large');
    fitted = withoutWords(fitted, 0) as JsonObject;
  }
  for (let depth = 6; sizeOf(fitted) > MOST_BYTES && depth >= 0; depth--) {
    if (depth === 6) note('what lies deepest in its schema, which was too large');
    fitted = withoutUnused(cut(fitted, depth));
  }
  return repaired(fitted, note);
}

const sizeOf = (schema: JsonObject): number => Buffer.byteLength(JSON.stringify(schema));

/** Takes out what the compiler refuses, place by place. */
function repaired(schema: JsonObject, note: (what: string) => void): JsonObject {
  let made = schema;
  for (let repairs = 0; repairs < MOST_REPAIRS; repairs++) {
    try {
      // The first value that is checked has it compiled.
      compileInputSchema(made)({});
      return made;
    } catch (thrown) {
      const path = FsError.is(thrown) ? pathFromPointer(thrown.path ?? '') : [];
      if (repairs === 0) note('parts of its schema that cannot be used');
      const shorter = path.length === 0 ? withoutUnused(cut(made, 1)) : (without(made, path) as JsonObject);
      if (sizeOf(shorter) >= sizeOf(made)) break;
      made = shorter;
    }
  }
  return { type: 'object' };
}

function without(value: JsonValue, [step = '', ...rest]: readonly string[]): JsonValue {
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    return rest.length === 0
      ? items.filter((_item, at) => String(at) !== step)
      : items.map((item, at) => (String(at) === step ? without(item, rest) : item));
  }
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]): [string, JsonValue][] => {
      if (key !== step) return [[key, item]];
      return rest.length === 0 ? [] : [[key, without(item, rest)]];
    }),
  );
}

/** Only the request's own properties keep their descriptions. */
function withoutWords(value: JsonValue, depth: number): JsonValue {
  if (Array.isArray(value))
    return (value as readonly JsonValue[]).map((item) => withoutWords(item, depth + 1));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([key, item]) => depth <= 2 || typeof item === 'object' || !['description', 'title'].includes(key),
      )
      .filter(([key, item]) => !(key === 'examples' && Array.isArray(item)))
      .map(([key, item]) => [key, withoutWords(item, depth + 1)]),
  );
}

const DEFS = '#/$defs/';

/** Definitions that are further than `depth` references from the top take anything. */
function cut(schema: JsonObject, depth: number): JsonObject {
  const defs = isJsonObject(schema['$defs']) ? schema['$defs'] : {};
  const distance = distances(schema, defs);
  return {
    ...schema,
    $defs: Object.fromEntries(
      Object.entries(defs).map(([name, def]) => [name, (distance.get(name) ?? Infinity) > depth ? {} : def]),
    ),
  };
}

function distances(schema: JsonObject, defs: JsonObject): Map<string, number> {
  const { $defs: _defs, ...top } = schema;
  const found = new Map<string, number>();
  let front = namesIn(top);
  for (let distance = 1; front.size > 0; distance++) {
    const next = new Set<string>();
    for (const name of front) {
      if (found.has(name)) continue;
      found.set(name, distance);
      for (const inner of namesIn(defs[name] ?? {})) next.add(inner);
    }
    front = next;
  }
  return found;
}

function namesIn(value: JsonValue): Set<string> {
  const names = new Set<string>();
  const stack: JsonValue[] = [value];
  for (let one = stack.pop(); one !== undefined; one = stack.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    const ref = isJsonObject(one) ? one['$ref'] : undefined;
    if (typeof ref === 'string' && ref.startsWith(DEFS)) names.add(ref.slice(DEFS.length));
    stack.push(...Object.values<JsonValue>(one as Readonly<Record<string, JsonValue>>));
  }
  return names;
}

function withoutUnused(schema: JsonObject): JsonObject {
  const { $defs: defs, ...top } = schema;
  if (!isJsonObject(defs)) return schema;
  const used = distances(schema, defs);
  const kept = Object.entries(defs).filter(([name]) => used.has(name));
  return kept.length === 0 ? top : { ...top, $defs: Object.fromEntries(kept) };
}
