import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { objectOf, textOf, type OpenapiDocument } from './document.js';
import { described, type Payload } from './payload.js';
import type { SchemaMaker } from './schema-maker.js';

/** What the parameters of an operation are in a manifest. */
export interface ImportedParameters {
  /** The path with placeholders. */
  readonly path: string;
  readonly query: Record<string, JsonValue>;
  readonly headers: Record<string, JsonValue>;
}

/** Headers that OpenAPI leaves to other parts of the document, or that belong to the connection. */
const NOT_HEADERS = new Set([
  ...['accept', 'content-type', 'authorization', 'cookie', 'host', 'content-length', 'transfer-encoding'],
  ...[
    'connection',
    'keep-alive',
    'upgrade',
    'expect',
    'te',
    'trailer',
    'proxy-authorization',
    'proxy-connection',
    'accept-encoding',
  ],
]);

interface Parts {
  readonly document: OpenapiDocument;
  readonly schemas: SchemaMaker;
  readonly payload: Payload;
  /** What could not be taken over. */
  readonly notes: string[];
}

/** Takes over the parameters of a path and an operation, of which the operation's count where both name one. */
export function importParameters(
  path: string,
  lists: readonly (JsonValue | undefined)[],
  parts: Parts,
): ImportedParameters {
  const { document, notes } = parts;
  const named = new Map<string, JsonObject>();
  for (const item of lists.flatMap((list) => document.list(list))) {
    const parameter = document.object(item);
    const [name, place] = [textOf(parameter, 'name'), textOf(parameter, 'in')];
    if (name === undefined || place === undefined) notes.push('a parameter without a name');
    else named.set(`${place} ${name}`, parameter);
  }
  const imported = { path, query: {} as Record<string, JsonValue>, headers: {} as Record<string, JsonValue> };
  const inPath = new Map<string, string>();
  for (const parameter of named.values()) {
    const name = textOf(parameter, 'name') ?? '';
    switch (parameter['in']) {
      case 'path':
        inPath.set(name, pathPlaceholder(name, parameter, parts));
        break;
      case 'query':
        Object.assign(imported.query, queryOf(name, parameter, parts));
        break;
      case 'header':
        if (!NOT_HEADERS.has(name.toLowerCase()))
          imported.headers[name] = placeholderOf(name, parameter, parts, false);
        break;
      default:
        notes.push(`the ${textOf(parameter, 'in') ?? ''} parameter ${name}`);
    }
  }
  // Some tell operations of one path apart by a fragment, which is never sent.
  const [sent = ''] = path.split('#');
  if (sent !== path) notes.push(`the fragment ${path.slice(sent.length)} of its path`);
  // What the path names, and no parameter describes, is text.
  imported.path = sent.replace(/\{([^{}]*)\}/g, (_all, written: string) => {
    const name = written.trim();
    return inPath.get(name) ?? pathPlaceholder(name, {}, parts);
  });
  return imported;
}

function pathPlaceholder(name: string, parameter: JsonObject, parts: Parts): string {
  const placeholder = placeholderOf(name, parameter, parts, true);
  const style = textOf(parameter, 'style');
  return style === 'label' ? `.${placeholder}` : style === 'matrix' ? `;${name}=${placeholder}` : placeholder;
}

function placeholderOf(name: string, parameter: JsonObject, parts: Parts, isRequired: boolean): string {
  const schema = schemaOf(parameter, parts);
  const known =
    typeof schema === 'object' && Object.keys(schema ?? {}).length > 0 ? schema : { type: 'string' };
  const property = parts.payload.add(name, {
    schema: described(isRequired ? notEmpty(known) : known, textOf(parameter, 'description')),
    required: isRequired || parameter['required'] === true,
    example: exampleOf(parameter, parts),
    place: textOf(parameter, 'in') ?? 'path',
  });
  return `{payload.${property}}`;
}

/** An empty segment would name another path. */
function notEmpty(schema: JsonValue): JsonValue {
  return isJsonObject(schema) &&
    schema['type'] === 'string' &&
    schema['minLength'] === undefined &&
    schema['enum'] === undefined
    ? { ...schema, minLength: 1 }
    : schema;
}

function queryOf(name: string, parameter: JsonObject, parts: Parts): Record<string, JsonValue> {
  const style = textOf(parameter, 'style') ?? 'form';
  const isJson = Object.keys(objectOf(parameter, 'content')).length > 0;
  const explode = parameter['explode'];
  const written = parts.schemas.resolved(ownValue(parameter, 'schema'));
  const properties = Object.keys(objectOf(written, 'properties'));
  const placeholder = placeholderOf(name, parameter, parts, false);
  if (isJson) return { [name]: { value: placeholder, style: 'json' } };
  // In this style an object's members are parameters of their own.
  if (
    style === 'form' &&
    explode !== false &&
    properties.length > 0 &&
    properties.every((one) => /^[^.{}]+$/.test(one))
  )
    return Object.fromEntries(properties.map((one) => [one, placeholder.replace('}', `.${one}}`)]));
  if (style === 'form')
    return { [name]: explode === false ? { value: placeholder, explode: false } : placeholder };
  if (style === 'spaceDelimited' || style === 'pipeDelimited' || style === 'deepObject')
    return { [name]: { value: placeholder, style } };
  return { [name]: placeholder };
}

function schemaOf(parameter: JsonObject, { schemas, document }: Parts): JsonValue {
  const [media] = Object.values(objectOf(parameter, 'content'));
  return schemas.schemaOf(ownValue(parameter, 'schema') ?? ownValue(document.object(media), 'schema'));
}

/** The example of a parameter or a body: its own, the first of several, or its schema's. */
export function exampleOf(
  holder: JsonObject,
  { document, schemas }: Pick<Parts, 'document' | 'schemas'>,
): JsonValue | undefined {
  const own = ownValue(holder, 'example');
  if (own !== undefined) return own;
  const [first] = Object.values(objectOf(holder, 'examples'));
  const value = ownValue(document.object(first), 'value');
  if (value !== undefined) return value;
  const schema = schemas.resolved(ownValue(holder, 'schema'));
  return ownValue(schema, 'example') ?? document.list(ownValue(schema, 'examples'))[0];
}
