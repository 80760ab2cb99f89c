import { isJsonObject, type JsonValue } from '../../core/index.js';
import { solePlaceholder, type HttpParameter } from '../../manifest/index.js';
import { entriesOf, scalarText, type CallValues } from './call-values.js';

export type Pair = readonly [name: string, value: string];

const SEPARATORS = {
  form: ',',
  spaceDelimited: ' ',
  pipeDelimited: '|',
  deepObject: ',',
  json: ',',
} as const;

/** The pairs that parameters give in a call; those without a value are left out. @throws FsError EINVAL */
export function fillParameters(
  parameters: Readonly<Record<string, HttpParameter>>,
  values: CallValues,
): Pair[] {
  return Object.entries(parameters).flatMap(([name, parameter]) => pairsOf(name, parameter, values));
}

export function pairsOf(name: string, parameter: HttpParameter, values: CallValues): Pair[] {
  const sole = solePlaceholder(parameter.value);
  if (sole === undefined) {
    const text = values.fieldOf(parameter.value);
    return text === undefined ? [] : [[name, text]];
  }
  const found = values.valueOf(sole);
  if (found === undefined || found.value === null) return [];
  const { value, json } = found;
  if (parameter.style === 'json') return [[name, json]];
  if (Array.isArray(value) && parameter.style !== 'deepObject') return pairsOfList(name, value, parameter);
  if (isJsonObject(value) || Array.isArray(value)) return deepPairs(name, value);
  return [[name, typeof value === 'string' ? value : json]];
}

function pairsOfList(name: string, value: JsonValue, { style, explode }: HttpParameter): Pair[] {
  const entries = entriesOf(value) ?? [];
  if (explode) return entries.map(([, text]) => [name, text]);
  return entries.length === 0 ? [] : [[name, entries.map(([, text]) => text).join(SEPARATORS[style])]];
}

/** `name[key]=value`, to any depth; the positions of a list are its keys. */
function deepPairs(name: string, value: JsonValue): Pair[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]: [string, JsonValue]): Pair[] => {
    const inner = `${name}[${key}]`;
    if (typeof item === 'object' && item !== null) return deepPairs(inner, item);
    return item === null ? [] : [[inner, scalarText(item, value, key)]];
  });
}
