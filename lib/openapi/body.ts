import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { objectOf, textOf, type OpenapiDocument } from './document.js';
import { exampleOf } from './parameters.js';
import { described, type Payload } from './payload.js';
import type { SchemaMaker } from './schema-maker.js';

interface Parts {
  readonly document: OpenapiDocument;
  readonly schemas: SchemaMaker;
  readonly payload: Payload;
  readonly notes: string[];
}

const JSON_TYPE = /^[^/;]+\/(?:[^;]+\+)?json\s*(?:;|$)/i;
/** How a body is asked for, the best first. */
const KINDS: readonly [kind: 'json' | 'form' | 'multipart' | 'text', type: RegExp][] = [
  ['json', JSON_TYPE],
  ['form', /^application\/x-www-form-urlencoded/i],
  ['multipart', /^multipart\//i],
  ['json', /^\*\/\*|^application\/\*/],
  ['text', /^text\/|[/+](?:xml|yaml|x-yaml|graphql|ndjson|x-ndjson|jsonl|csv)\s*(?:;|$)/i],
];

/** A file of a request: what the runtime sends as a part with a name. */
const FILE: JsonObject = {
  type: 'object',
  description: 'A file.',
  required: ['base64'],
  properties: {
    filename: { type: 'string' },
    content_type: { type: 'string' },
    base64: { type: 'string', contentEncoding: 'base64' },
  },
  additionalProperties: false,
};

/** Takes over the body of an operation; undefined where it has none. */
export function importBody(written: JsonValue | undefined, parts: Parts): JsonObject | undefined {
  const request = parts.document.object(written);
  const content = Object.entries(objectOf(request, 'content')).filter(([type]) => type.trim() !== '');
  if (content.length === 0) return undefined;
  const required = request['required'] === true;
  for (const [kind, pattern] of KINDS) {
    const found = content.find(([type]) => pattern.test(type));
    if (found === undefined) continue;
    const [type, value] = found;
    const media = parts.document.object(value);
    const description = textOf(request, 'description');
    if (kind === 'json') return jsonBody(type, media, required, description, parts);
    if (kind === 'text') return textBody(type, media, required, description, parts);
    return fieldsBody(kind, media, required, description, parts);
  }
  const [type = 'application/octet-stream'] = content[0] ?? [];
  const schema = { type: 'string', contentEncoding: 'base64', description: `The bytes (${type}) as base64.` };
  return {
    base64: bodyOf(parts, schema, required),
    content_type: type.includes('*') ? 'application/octet-stream' : type,
  };
}

function jsonBody(
  type: string,
  media: JsonObject,
  required: boolean,
  description: string | undefined,
  parts: Parts,
): JsonObject {
  const schema = described(parts.schemas.schemaOf(ownValue(media, 'schema')), description);
  const isUsual = type === 'application/json' || type.includes('*');
  return {
    json: bodyOf(parts, schema, required, exampleOf(media, parts)),
    ...(isUsual ? {} : { content_type: type }),
  };
}

function textBody(
  type: string,
  media: JsonObject,
  required: boolean,
  description: string | undefined,
  parts: Parts,
): JsonObject {
  const example = exampleOf(media, parts);
  const schema = described({ type: 'string' }, description ?? `Text (${type}).`);
  const text = bodyOf(parts, schema, required, typeof example === 'string' ? example : undefined);
  return { text, content_type: type };
}

/** The placeholder of a property of the request that is the whole body. */
function bodyOf(parts: Parts, schema: JsonValue, required: boolean, example?: JsonValue): string {
  return `{payload.${parts.payload.add('body', { schema, required, example, place: 'content' })}}`;
}

/** Forms are their fields, each a property of `body`. */
function fieldsBody(
  kind: 'form' | 'multipart',
  media: JsonObject,
  required: boolean,
  description: string | undefined,
  parts: Parts,
): JsonObject {
  const { schemas, payload, notes } = parts;
  const written = mergedObject(schemas.resolved(ownValue(media, 'schema')), parts);
  const encodings = objectOf(media, 'encoding');
  const fields: Record<string, JsonValue> = {};
  const properties: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(objectOf(written, 'properties'))) {
    if (/[.{}]/.test(name)) {
      notes.push(`the field ${name}`);
      continue;
    }
    const schema = schemas.resolved(value);
    if (schema['readOnly'] === true) continue;
    const encoding = parts.document.object(ownValue(encodings, name));
    properties[name] =
      kind === 'multipart' ? fileSchema(schema, schemas.schemaOf(value)) : schemas.schemaOf(value);
    fields[name] = fieldOf(`{payload.body.${name}}`, schema, encoding, kind);
  }
  const needed = parts.document
    .list(ownValue(written, 'required'))
    .filter((name) => Object.hasOwn(properties, name as string));
  const property = payload.add('body', {
    schema: described(
      {
        type: 'object',
        ...(needed.length === 0 ? {} : { required: needed }),
        properties,
        additionalProperties: false,
      },
      description,
    ),
    required: required || needed.length > 0,
    example: kind === 'form' ? exampleOf(media, parts) : undefined,
    place: 'content',
  });
  const text = JSON.stringify(fields).replaceAll('{payload.body.', `{payload.${property}.`);
  return { [kind]: JSON.parse(text) as JsonObject };
}

/** The properties of an object that is put together by `allOf`. */
function mergedObject(schema: JsonObject, parts: Parts, depth = 0): JsonObject {
  if (depth > 8) return schema;
  const all = parts.document
    .list(ownValue(schema, 'allOf'))
    .map((one) => mergedObject(parts.document.object(one), parts, depth + 1));
  if (all.length === 0) return schema;
  return {
    ...schema,
    properties: Object.assign(
      {},
      ...[...all, schema].map((one) => objectOf(one, 'properties')),
    ) as JsonObject,
    required: [...all, schema].flatMap((one) => parts.document.list(ownValue(one, 'required'))),
  };
}

function fileSchema(written: JsonObject, schema: JsonValue): JsonValue {
  const isFile = (one: JsonObject): boolean =>
    one['format'] === 'binary' || one['type'] === 'file' || typeof one['contentMediaType'] === 'string';
  const description = textOf(written, 'description');
  if (isFile(written)) return described(FILE, description);
  const { items } = written;
  return isJsonObject(items) && isFile(items)
    ? described({ type: 'array', items: FILE }, description)
    : schema;
}

function fieldOf(
  value: string,
  schema: JsonObject,
  encoding: JsonObject,
  kind: 'form' | 'multipart',
): JsonValue {
  const style = textOf(encoding, 'style');
  const isJson = JSON_TYPE.test(textOf(encoding, 'contentType') ?? '');
  const isObject = schema['type'] === 'object' || Object.hasOwn(schema, 'properties');
  if (isJson || (kind === 'multipart' && isObject && style === undefined)) return { value, style: 'json' };
  if (style === 'spaceDelimited' || style === 'pipeDelimited' || style === 'deepObject')
    return { value, style };
  return encoding['explode'] === false ? { value, explode: false } : value;
}
