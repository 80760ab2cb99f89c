import { resolve } from 'node:path';
import { FsError, type JsonObject, type JsonValue } from '../core/index.js';
import { IDEMPOTENT_METHODS } from '../manifest/index.js';
import { schemaFromTemplates, type SaidTypes, type UsedTemplate } from './placeholder-schema.js';

/** What all new services have in common. */
export interface NewService {
  readonly name: string;
  readonly description?: string;
  readonly allow?: readonly string[];
  readonly timeoutMs?: number;
  readonly types: SaidTypes;
}

/** A program that is run for each call: `args` may hold placeholders. */
export function commandManifest(
  service: NewService,
  [program = '', ...args]: readonly string[],
  output: 'json' | 'text',
): JsonObject {
  const schema = schemaFromTemplates(
    args.map((text): UsedTemplate => ({ text, use: 'argument' })),
    service.types,
  );
  return manifestOf(service, 'tool', schema, `Runs \`${[program, ...args].join(' ')}\`.`, {
    type: 'native_proc',
    executable_path: program.includes('/') ? resolve(program) : program,
    args,
    cwd: process.cwd(),
    output,
  });
}

export interface HttpRequestWords {
  readonly method: string;
  readonly url: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  /** JSON, with placeholders in its strings. */
  readonly json: JsonValue | undefined;
  readonly form: readonly (readonly [string, string])[];
  readonly auth: readonly JsonObject[];
  readonly result: string | undefined;
}

/** A request that is made for each call. */
export function httpManifest(service: NewService, words: HttpRequestWords): JsonObject {
  const { method, form, auth, result } = words;
  const { url, query } = withoutQuery(words.url);
  const parameters = [...query, ...words.query];
  const hasBody = !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method);
  // A request that says nothing of its body sends what it is asked with.
  const json = words.json ?? (hasBody && form.length === 0 ? '{payload}' : undefined);
  const templates: UsedTemplate[] = [
    { text: url, use: 'path' },
    ...[...parameters, ...words.headers, ...form].map(([, text]): UsedTemplate => ({
      text,
      use: 'left-out',
    })),
    ...textsOf(json).map((text): UsedTemplate => ({ text, use: 'json' })),
  ];
  const takesAll = json === '{payload}';
  const known = schemaFromTemplates(templates, service.types);
  const schema = takesAll ? { ...known, additionalProperties: true } : known;
  return manifestOf(
    service,
    'api',
    schema,
    `\`${method} ${url}\`${IDEMPOTENT_METHODS.has(method) ? '' : ': sent once for each call.'}`,
    {
      type: 'http',
      method,
      url,
      ...(parameters.length === 0 ? {} : { query: grouped(parameters) }),
      ...(words.headers.length === 0 ? {} : { headers: Object.fromEntries(words.headers) }),
      ...(json !== undefined ? { body: { json } } : form.length > 0 ? { body: { form: grouped(form) } } : {}),
      ...(auth.length === 0 ? {} : { auth: auth.length === 1 ? (auth[0] ?? null) : auth }),
      ...(result === undefined ? {} : { result }),
    },
  );
}

/** A server whose tools become services: a program, or an address. */
export function mcpManifest(
  service: NewService,
  words: readonly string[],
  headers: readonly (readonly [string, string])[],
): JsonObject {
  const [first = '', ...args] = words;
  const isUrl = /^https?:\/\//i.test(first);
  if (isUrl && args.length > 0)
    throw new FsError('EINVAL', 'After the address of an MCP server nothing follows.', {
      hint: 'Write: acheron add mcp NAME URL, or acheron add mcp NAME -- PROGRAM ARGS…',
    });
  const { schema: _schema, ...manifest } = manifestOf(
    service,
    'mcp',
    {},
    `The tools of the MCP server \`${words.join(' ')}\`, each a service \`${service.name}.<tool>\`.`,
    isUrl
      ? { type: 'mcp', url: first, ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }) }
      : {
          type: 'mcp',
          command: first.includes('/') ? resolve(first) : first,
          args,
          cwd: process.cwd(),
        },
  );
  return manifest;
}

function manifestOf(
  { name, description, allow, timeoutMs }: NewService,
  kind: string,
  input: JsonObject,
  what: string,
  runtime: JsonObject,
): JsonObject {
  return {
    service_id: name,
    kind,
    runtime: { ...runtime, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) },
    ...(allow === undefined ? {} : { permissions: { allow_roles: allow } }),
    schema: { input },
    help_md: `# ${name}\n\n${description ?? what}`,
  };
}

/** The parameters of a URL become ones that may be left out. */
function withoutQuery(url: string): { url: string; query: (readonly [string, string])[] } {
  const at = url.indexOf('?');
  if (at === -1) return { url, query: [] };
  const query = url
    .slice(at + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair): readonly [string, string] => {
      const [name = '', ...value] = pair.split('=');
      return [decoded(name), decoded(value.join('='))];
    });
  return { url: url.slice(0, at), query };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // A percent sign that encodes nothing stands for itself.
    return text;
  }
}

/** A name that comes more than once cannot be said. */
function grouped(pairs: readonly (readonly [string, string])[]): JsonObject {
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new FsError('EINVAL', `The parameter ${JSON.stringify(twice)} is there twice.`, {
      hint: 'Give it once, by a placeholder: a list in the request is sent as several.',
    });
  return Object.fromEntries(pairs);
}

function textsOf(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((one: JsonValue) => textsOf(one))
    : [];
}
