import { parse, printParseErrorCode, type ParseError } from 'jsonc-parser';
import { FsError, isId, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/** What one server becomes: a manifest, and a file of secrets beside it. */
export interface ImportedServer {
  readonly serviceId: string;
  readonly manifest: JsonObject;
  /** NAME=VALUE lines; null where there are none. */
  readonly secrets: string | null;
  /** What is left to be done by hand. */
  readonly notes: readonly string[];
}

export interface ImportOptions {
  /** Roles that may use what the servers offer. */
  readonly allow: readonly string[];
  /** For `${NAME}` in what is imported. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Manifests of the servers that a desktop client's settings name: `mcpServers`, as most have it, or `servers`.
 * @throws FsError EINVAL where there are none
 */
export function serversFromSettings(text: string, options: ImportOptions): ImportedServer[] {
  const errors: ParseError[] = [];
  const settings = parse(text, errors, { allowTrailingComma: true }) as unknown;
  const [error] = errors;
  if (error !== undefined)
    throw new FsError(
      'EINVAL',
      `The settings are not JSON: ${printParseErrorCode(error.error)} at character ${error.offset + 1}.`,
      {
        hint: 'Name the file in which the client keeps its MCP servers.',
      },
    );
  const servers = isJsonObject(settings)
    ? (ownValue(settings, 'mcpServers') ?? ownValue(settings, 'servers'))
    : undefined;
  if (!isJsonObject(servers))
    throw new FsError('EINVAL', 'The settings name no MCP servers.', {
      hint: 'They stand in an object "mcpServers" (or "servers"), each under its name.',
    });
  const taken = new Set<string>();
  return Object.entries(servers).map(([name, server]) => {
    const serviceId = idOf(name, taken);
    taken.add(serviceId);
    return importedServer(serviceId, name, isJsonObject(server) ? server : {}, options);
  });
}

function idOf(name: string, taken: ReadonlySet<string>): string {
  const plain = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+|-+$/g, '')
    .slice(0, 64);
  const wanted = isId(plain) ? plain : 'mcp';
  for (let count = 1; ; count++) {
    const id = count === 1 ? wanted : `${wanted}-${count}`;
    if (!taken.has(id)) return id;
  }
}

function importedServer(
  serviceId: string,
  name: string,
  server: JsonObject,
  { allow, env }: ImportOptions,
): ImportedServer {
  const secrets = new Secrets(env);
  const url = textOf(server, 'url') ?? textOf(server, 'serverUrl') ?? textOf(server, 'httpUrl');
  const command = textOf(server, 'command');
  const notes: string[] = [];
  if (url === undefined && command === undefined)
    notes.push(`${serviceId} has neither a command nor a url: it is listed, but offers nothing.`);
  if (server['type'] === 'sse')
    notes.push(`${serviceId} speaks SSE, which is no longer spoken: ask its author for streamable HTTP.`);
  if (url !== undefined && /[?]/.test(url))
    notes.push(
      `The url of ${serviceId} has a query, which stays in the manifest: move a key in it to a header.`,
    );
  for (const [variable, value] of Object.entries(objectOf(server, 'env')))
    secrets.put(variable, wordOf(value));
  const headers = Object.entries({
    ...objectOf(server, 'headers'),
    ...objectOf(server, 'requestInit', 'headers'),
  }).map(([header, value]) => [header, `{env.${secrets.putHeader(header, wordOf(value))}}`]);
  const args = server['args'];
  const manifest: JsonObject = {
    service_id: serviceId,
    kind: 'mcp',
    ...(server['disabled'] === true || server['enabled'] === false ? { enabled: false } : {}),
    runtime: {
      type: 'mcp',
      ...(url !== undefined ? { url } : command !== undefined ? { command } : {}),
      ...(Array.isArray(args) && args.length > 0 && url === undefined
        ? { args: (args as readonly JsonValue[]).map((arg) => expanded(wordOf(arg), env)) }
        : {}),
      ...(textOf(server, 'cwd') === undefined ? {} : { cwd: textOf(server, 'cwd') ?? '' }),
      ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) as JsonObject }),
      ...(secrets.isEmpty ? {} : { env_file: `${serviceId}.env` }),
    },
    permissions: allow.length === 0 ? { default: 'deny-by-default' } : { allow_roles: [...allow] },
    help_md: `# ${name.replace(/\s+/g, ' ')}\n\nThe MCP server ${name.replace(/\s+/g, ' ')}.\n`,
  };
  notes.push(
    ...secrets.missing.map((variable) => `${variable} is not known here: set it in ${serviceId}.env.`),
  );
  return { serviceId, manifest, secrets: secrets.isEmpty ? null : secrets.text, notes };
}

/** The lines of a file of secrets. */
class Secrets {
  readonly missing: string[] = [];
  readonly #env: ImportOptions['env'];
  readonly #lines = new Map<string, string>();

  constructor(env: ImportOptions['env']) {
    this.#env = env;
  }

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  get text(): string {
    return `${[...this.#lines].map(([name, value]) => `${name}=${quoted(value)}`).join('\n')}\n`;
  }

  put(name: string, value: string): void {
    const filled = expanded(value, this.#env);
    if (/\$\{[^}]*\}/.test(filled)) {
      this.missing.push(name);
      this.#lines.set(name, '');
    } else this.#lines.set(name, filled);
  }

  /** The variable that holds the value of a header. */
  putHeader(header: string, value: string): string {
    const name = `HEADER_${header.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
    this.put(name, value);
    return name;
  }
}

/** A file of variables is read line by line. */
function quoted(value: string): string {
  return /^\s|\s$|^["']/.test(value) ? `"${value}"` : value;
}

/** `${NAME}` and `${env:NAME}`, where that is known. */
function expanded(text: string, env: ImportOptions['env']): string {
  return text.replace(
    /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g,
    (all, name: string, otherwise?: string) => env[name] ?? otherwise ?? all,
  );
}

function textOf(server: JsonObject, name: string): string | undefined {
  const value = ownValue(server, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function wordOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function objectOf(value: JsonObject, ...path: readonly string[]): JsonObject {
  let found: JsonValue | undefined = value;
  for (const name of path) found = isJsonObject(found) ? ownValue(found, name) : undefined;
  return isJsonObject(found) ? found : {};
}
