import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';

/** A longer one is no help: then the schema itself is to be read. */
const MAX_CHARACTERS = 400;
const MAX_VALUES = 6;

/**
 * What a request holds, in a line as people write it: `{text: string, mode?: "a" | "b"}`. It says less than the schema,
 * and nothing else. Undefined where the schema says nothing of members, or too much.
 */
export function shapeOfRequest(schema: JsonObject): string | undefined {
  const properties = ownValue(schema, 'properties');
  if (!isJsonObject(properties)) return undefined;
  const shape = shapeOfObject(properties, ownValue(schema, 'required'));
  return shape.length > MAX_CHARACTERS ? undefined : shape;
}

function shapeOfObject(properties: JsonObject, required: JsonValue | undefined): string {
  const needed = Array.isArray(required) ? (required as readonly JsonValue[]) : [];
  const members = Object.entries(properties).map(
    ([name, schema]) => `${nameOf(name)}${needed.includes(name) ? '' : '?'}: ${shapeOf(schema)}`,
  );
  return `{${members.join(', ')}}`;
}

const nameOf = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name));

function shapeOf(schema: JsonValue): string {
  if (!isJsonObject(schema)) return 'any';
  const values = ownValue(schema, 'enum');
  if (Array.isArray(values)) {
    const shown = (values as readonly JsonValue[]).slice(0, MAX_VALUES).map((value) => JSON.stringify(value));
    return [...shown, ...(values.length > MAX_VALUES ? ['…'] : [])].join(' | ');
  }
  const constant = ownValue(schema, 'const');
  if (constant !== undefined) return JSON.stringify(constant);
  const type = ownValue(schema, 'type');
  if (type === 'array') {
    const item = shapeOf(ownValue(schema, 'items') ?? true);
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
  }
  if (Array.isArray(type)) return (type as readonly string[]).join(' | ');
  return typeof type === 'string' ? type : 'any';
}
