import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { DescribedService } from './described-service.js';

/** How deep a type is written out; what lies deeper is any JSON. */
const MAX_DEPTH = 24;
const PLAIN_NAME = /^[A-Za-z_$][\w$]*$/;

type Described = Pick<DescribedService, 'serviceId' | 'input' | 'output'> & {
  readonly summary?: string | undefined;
};

/**
 * A TypeScript module that says what services take and give, from their schemas: with it in a program,
 * `client.invoke` is checked. A service of several nodes is what the first of them says.
 */
export function typesFromServices(services: readonly Described[]): string {
  const seen = new Map<string, Described>();
  for (const service of services) if (!seen.has(service.serviceId)) seen.set(service.serviceId, service);
  const ids = [...seen.keys()].sort((a, b) => (a < b ? -1 : 1));
  const members = ids.map((id) => memberFrom(id, seen.get(id)));
  return [
    '// Made by `acheron types` from the schemas of services; made anew, it loses what is changed here.',
    "import type { JsonObject, JsonValue } from 'acheron';",
    '',
    "declare module 'acheron' {",
    '  interface Services {',
    ...members,
    '  }',
    '}',
    '',
    '/** Any JSON; what no schema says more of. */',
    'export type Json = JsonValue;',
    '/** Any JSON object. */',
    'export type Payload = JsonObject;',
    '',
  ].join('\n');
}

function memberFrom(id: string, service: Described | undefined): string {
  const input = service?.input == null ? 'JsonObject' : objectTypeFrom(service.input);
  const output = service?.output == null ? 'JsonObject' : objectTypeFrom(service.output);
  const doc = commentFrom(service?.summary, '    ');
  return `${doc}    ${nameOf(id)}: {\n      input: ${indented(input, 6)};\n      output: ${indented(output, 6)};\n    };`;
}

/** What is written and answered is an object, whatever else a schema allows. */
function objectTypeFrom(schema: JsonObject): string {
  const type = new TypeWriter(schema).typeOf(schema, 0);
  return type === 'JsonValue' ? 'JsonObject' : type;
}

/** Types from one schema, with what it refers to within itself. */
class TypeWriter {
  readonly #root: JsonObject;
  /** What is being written, so that what refers to itself ends. */
  readonly #open = new Set<string>();

  constructor(root: JsonObject) {
    this.#root = root;
  }

  typeOf(schema: JsonValue | undefined, depth: number): string {
    if (schema === false) return 'never';
    if (!isJsonObject(schema) || depth > MAX_DEPTH) return 'JsonValue';
    const reference = ownValue(schema, '$ref');
    if (typeof reference === 'string') return this.#referred(reference, depth);
    const constant = ownValue(schema, 'const');
    if (constant !== undefined) return literalFrom(constant);
    const values = ownValue(schema, 'enum');
    if (Array.isArray(values)) return unionOf((values as readonly JsonValue[]).map(literalFrom));
    const parts = ['anyOf', 'oneOf'].flatMap((word) => {
      const options = ownValue(schema, word);
      return Array.isArray(options) && options.length > 0
        ? [unionOf((options as readonly JsonValue[]).map((option) => this.typeOf(option, depth + 1)))]
        : [];
    });
    const all = ownValue(schema, 'allOf');
    if (Array.isArray(all))
      parts.push(...(all as readonly JsonValue[]).map((one) => this.typeOf(one, depth + 1)));
    const own = this.#own(schema, depth);
    const known = [own, ...parts].filter((part) => part !== 'JsonValue');
    if (known.length <= 1) return known[0] ?? 'JsonValue';
    return known.map((part) => (part.includes(' | ') ? `(${part})` : part)).join(' & ');
  }

  #own(schema: JsonObject, depth: number): string {
    const type = ownValue(schema, 'type');
    const isObject = ['properties', 'required', 'additionalProperties'].some(
      (word) => ownValue(schema, word) !== undefined,
    );
    const types = Array.isArray(type) ? (type as readonly JsonValue[]) : type === undefined ? [] : [type];
    if (types.length === 0) return isObject ? this.#object(schema, depth) : 'JsonValue';
    return unionOf(types.map((one) => this.#typed(one, schema, depth)));
  }

  #typed(type: JsonValue, schema: JsonObject, depth: number): string {
    switch (type) {
      case 'object':
        return this.#object(schema, depth);
      case 'array':
        return this.#array(schema, depth);
      case 'string':
      case 'boolean':
      case 'null':
        return type;
      case 'integer':
      case 'number':
        return 'number';
      default:
        return 'JsonValue';
    }
  }

  #array(schema: JsonObject, depth: number): string {
    const first = ownValue(schema, 'prefixItems');
    const rest = ownValue(schema, 'items');
    if (Array.isArray(first)) {
      const types = (first as readonly JsonValue[]).map((item) => this.typeOf(item, depth + 1));
      const more = rest === false ? [] : [`...${arrayOf(this.typeOf(rest, depth + 1))}`];
      return `[${[...types.map((one) => `${one}?`), ...more].join(', ')}]`;
    }
    return arrayOf(this.typeOf(rest, depth + 1));
  }

  #object(schema: JsonObject, depth: number): string {
    const properties = ownValue(schema, 'properties');
    const required = ownValue(schema, 'required');
    const needed = new Set(Array.isArray(required) ? (required as readonly JsonValue[]) : []);
    const known = isJsonObject(properties) ? Object.entries(properties) : [];
    const lines = known.map(([name, property]) => {
      const mark = needed.has(name) ? '' : '?';
      const description = isJsonObject(property) ? ownValue(property, 'description') : undefined;
      const doc = commentFrom(typeof description === 'string' ? description : undefined, '  ');
      return `${doc}  ${nameOf(name)}${mark}: ${indented(this.typeOf(property, depth + 1), 2)};`;
    });
    const names = new Set(known.map(([name]) => name));
    for (const name of needed)
      if (typeof name === 'string' && !names.has(name)) lines.push(`  ${nameOf(name)}: JsonValue;`);
    const more = ownValue(schema, 'additionalProperties');
    if (lines.length === 0) {
      if (more === undefined || more === true) return 'JsonObject';
      if (more === false) return 'Record<string, never>';
      return `{ [name: string]: ${this.typeOf(more, depth + 1)} }`;
    }
    // A type for the others would have to hold for the known ones too.
    if (isJsonObject(more)) lines.push('  [name: string]: JsonValue | undefined;');
    return `{\n${lines.join('\n')}\n}`;
  }

  #referred(reference: string, depth: number): string {
    if (this.#open.has(reference)) return 'JsonValue';
    const target = this.#target(reference);
    if (target === undefined) return 'JsonValue';
    this.#open.add(reference);
    try {
      return this.typeOf(target, depth + 1);
    } finally {
      this.#open.delete(reference);
    }
  }

  /** What a JSON Pointer within the schema names. */
  #target(reference: string): JsonValue | undefined {
    if (reference === '#') return this.#root;
    if (!reference.startsWith('#/')) return undefined;
    let at: JsonValue | undefined = this.#root;
    for (const part of reference.slice(2).split('/')) {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
      if (Array.isArray(at)) at = (at as readonly JsonValue[])[Number(name)];
      else at = isJsonObject(at) ? ownValue(at, name) : undefined;
    }
    return at;
  }
}

function literalFrom(value: JsonValue): string {
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(literalFrom).join(', ')}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${nameOf(name)}: ${literalFrom(member)}`);
  return members.length === 0 ? 'Record<string, never>' : `{ ${members.join('; ')} }`;
}

function unionOf(types: readonly string[]): string {
  const different = [...new Set(types)];
  return different.includes('JsonValue') ? 'JsonValue' : different.join(' | ');
}

const arrayOf = (type: string): string => (/[ |&]/.test(type) ? `Array<${type}>` : `${type}[]`);

const nameOf = (name: string): string => (PLAIN_NAME.test(name) ? name : JSON.stringify(name));

/** A comment on one line; what would end it does not. */
function commentFrom(text: string | undefined, indent: string): string {
  const line = text?.replaceAll(/\s+/g, ' ').replaceAll('*/', '*\\/').trim() ?? '';
  return line === '' ? '' : `${indent}/** ${line} */\n`;
}

function indented(text: string, by: number): string {
  return text.replaceAll('\n', `\n${' '.repeat(by)}`);
}
