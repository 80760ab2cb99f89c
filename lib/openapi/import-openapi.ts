import { FsError, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { compileInputSchema, IDEMPOTENT_METHODS } from '../manifest/index.js';
import { importBody } from './body.js';
import { METHODS, objectOf, OpenapiDocument, slugOf, textOf } from './document.js';
import { fitSchema } from './fit-schema.js';
import { importParameters } from './parameters.js';
import { Payload } from './payload.js';
import { SchemaMaker } from './schema-maker.js';
import { importSecurity } from './security.js';
import { serverOf } from './servers.js';

export interface ImportOptions {
  /** What the names of all services begin with; by default made of the API's title. */
  readonly prefix?: string;
  /** The server to ask, in place of the one that the document names. */
  readonly server?: string;
  /** Where the document is from, for servers that are relative to it. */
  readonly base?: string;
  /** Tags, operation ids, or `METHOD /path`; none: all. */
  readonly only?: readonly string[];
  /** Who may use the services; absent: admins. */
  readonly allowRoles?: readonly string[];
}

export interface ImportedOperation {
  readonly serviceId: string;
  readonly manifest: JsonObject;
  /** Variables of the node's environment that must be set. */
  readonly variables: readonly string[];
  /** What of the operation could not be taken over. */
  readonly notes: readonly string[];
}

const MAX_ID = 128;
const MAX_DESCRIPTION = 4000;

/**
 * A manifest for each operation of a document.
 * @throws FsError EINVAL where it is no OpenAPI 3.0 or 3.1, has no server, or none of `only`
 */
export function importOpenapi(root: JsonObject, options: ImportOptions = {}): ImportedOperation[] {
  requireVersion(root);
  const document = new OpenapiDocument(root);
  const info = objectOf(root, 'info');
  const prefix =
    slugOf(options.prefix ?? textOf(info, 'title') ?? 'api')
      .slice(0, 48)
      .toLowerCase() || 'api';
  const taken = new Set<string>();
  const imported: ImportedOperation[] = [];
  for (const [path, written] of Object.entries(objectOf(root, 'paths'))) {
    const item = document.object(written);
    for (const method of METHODS) {
      const operation = ownValue(item, method);
      if (!isJsonObject(operation) || !isAskedFor(operation, method, path, options.only)) continue;
      imported.push(
        new OperationImport(document, { prefix, path, method, item, operation, options }).import(taken),
      );
    }
  }
  if (imported.length === 0)
    throw new FsError('EINVAL', 'The document has no operation that is asked for.', {
      hint: 'Name tags, operation ids, or "GET /path" by --only; without it all are taken.',
    });
  return imported;
}

function requireVersion(root: JsonObject): void {
  const version = textOf(root, 'openapi');
  if (version !== undefined && /^3\.[01](\.|$)/.test(version)) return;
  const swagger = textOf(root, 'swagger');
  throw new FsError(
    'EINVAL',
    swagger !== undefined
      ? `The document is Swagger ${swagger}; OpenAPI 3.0 and 3.1 can be imported.`
      : version !== undefined
        ? `The document is OpenAPI ${version}; 3.0 and 3.1 can be imported.`
        : 'The document is not OpenAPI: it has no member "openapi".',
    swagger === undefined ? {} : { hint: 'Convert it first, say with: npx swagger2openapi.' },
  );
}

function isAskedFor(
  operation: JsonObject,
  method: string,
  path: string,
  only: readonly string[] | undefined,
): boolean {
  if (only === undefined || only.length === 0) return true;
  const { tags } = operation;
  const names = [
    textOf(operation, 'operationId') ?? '',
    `${method.toUpperCase()} ${path}`,
    ...(Array.isArray(tags) ? (tags as readonly JsonValue[]) : []),
  ];
  return only.some((one) => names.includes(one));
}

interface Operation {
  readonly prefix: string;
  readonly path: string;
  readonly method: (typeof METHODS)[number];
  readonly item: JsonObject;
  readonly operation: JsonObject;
  readonly options: ImportOptions;
}

class OperationImport {
  readonly #document: OpenapiDocument;
  readonly #of: Operation;
  readonly #notes: string[] = [];

  constructor(document: OpenapiDocument, of: Operation) {
    this.#document = document;
    this.#of = of;
  }

  import(taken: Set<string>): ImportedOperation {
    const { prefix, path, method, item, operation, options } = this.#of;
    const document = this.#document;
    const notes = this.#notes;
    const schemas = new SchemaMaker(document);
    const payload = new Payload();
    const parts = { document, schemas, payload, notes };
    const parameters = importParameters(
      path,
      [ownValue(item, 'parameters'), ownValue(operation, 'parameters')],
      parts,
    );
    const upper = method.toUpperCase();
    const written = ownValue(operation, 'requestBody');
    const body = method === 'get' || method === 'head' ? undefined : importBody(written, parts);
    const security = ownValue(operation, 'security') ?? ownValue(document.root, 'security');
    const { auth, variables } = importSecurity(security, document, prefix, notes);
    const input = fitSchema(payload.schema(schemas.defs), (what) => void notes.push(what));
    const serviceId = this.#freeId(taken);
    const template = templateOf(payload, input);
    const [server, prefixPath] = serverOf([operation, item, document.root], document, options);
    const hasBody = body !== undefined;
    const manifest: JsonObject = {
      service_id: serviceId,
      kind: 'api',
      version: (textOf(objectOf(document.root, 'info'), 'version') ?? '1').slice(0, 128),
      runtime: {
        type: 'http',
        method: upper,
        url: `${server}${prefixPath}${parameters.path}`,
        ...(Object.keys(parameters.query).length === 0 ? {} : { query: parameters.query }),
        ...(Object.keys(parameters.headers).length === 0 ? {} : { headers: parameters.headers }),
        ...(hasBody ? { body } : {}),
        ...(auth === undefined ? {} : { auth }),
      },
      ...(options.allowRoles === undefined ? {} : { permissions: { allow_roles: options.allowRoles } }),
      schema: { input },
      ...(template === undefined ? {} : { invoke_template: template }),
      help_md: this.#help(variables),
      labels: this.#labels(),
    };
    return { serviceId, manifest, variables, notes };
  }

  /** `prefix.operationId`, or of its method and path where it has none. */
  #freeId(taken: Set<string>): string {
    const { prefix, path, method, operation } = this.#of;
    const name =
      slugOf(
        textOf(operation, 'operationId') ?? `${method}${path.replace(/[{}]/g, '').replace(/\/+/g, '-')}`,
      ) || method;
    const base = `${prefix}.${name}`.slice(0, MAX_ID - 4).replace(/[.-]+$/, '');
    let id = base;
    for (let n = 2; taken.has(id.toLowerCase()); n++) id = `${base}-${n}`;
    taken.add(id.toLowerCase());
    return id;
  }

  #help(variables: readonly string[]): string {
    const { path, method, operation, item } = this.#of;
    const summary = textOf(operation, 'summary') ?? textOf(item, 'summary');
    const description = textOf(operation, 'description') ?? textOf(item, 'description');
    const words = [summary, description === summary ? undefined : description]
      .filter((text) => text !== undefined)
      .map((text) => text.trim().slice(0, MAX_DESCRIPTION));
    const docs = textOf(objectOf(operation, 'externalDocs'), 'url');
    return [
      ...words,
      `\`${method.toUpperCase()} ${path}\`${IDEMPOTENT_METHODS.has(method.toUpperCase()) ? '' : ': sent once for each call'}`,
      ...(operation['deprecated'] === true ? ['It is deprecated.'] : []),
      ...(variables.length === 0
        ? []
        : [`Authorized by ${variables.join(' and ')} of the node's environment.`]),
      ...(docs === undefined ? [] : [`See ${docs}`]),
      ...(this.#notes.length === 0 ? [] : [`Left out by the import: ${this.#notes.join('; ')}.`]),
    ].join('\n\n');
  }

  #labels(): JsonObject {
    const { prefix, operation } = this.#of;
    const [tag] = this.#document.list(ownValue(operation, 'tags'));
    return { api: prefix, ...(typeof tag === 'string' && tag !== '' ? { tag } : {}), imported: 'openapi' };
  }
}

/** What the document gives as examples, where that is a request that passes. */
function templateOf({ required, examples }: Payload, input: JsonObject): JsonObject | undefined {
  const validate = compileInputSchema(input);
  const chosen = Object.entries(examples);
  const some = chosen.filter(([name]) => required.includes(name));
  for (const entries of [chosen, some]) {
    if (entries.length === 0) return undefined;
    const template = Object.fromEntries(entries);
    if (validate(template) === null) return template;
  }
  return undefined;
}
