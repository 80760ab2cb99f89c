import {
  documentFromJson,
  isJsonObject,
  summaryFromHelp,
  type JsonObject,
  type JsonValue,
} from '../core/index.js';
import { isInvocable, limitsFromDescriptor, typeFromDescriptor } from './described-runtime.js';
import { shapeOfRequest } from './request-shape.js';

/** A service as its node publishes it: all that its read-only files, and its lines in indexes, are made from. */
export interface PublishedService {
  readonly node: { readonly id: string; readonly name: string; readonly platform: JsonValue };
  readonly serviceId: string;
  readonly descriptor: JsonObject;
}

/**
 * The read-only files of a service directory. The node and a control plane that knows it by its catalog
 * render them by these, so that their bytes are the same wherever they are asked for.
 */
export const DESCRIPTOR_FILES: ReadonlyMap<string, (service: PublishedService) => Buffer> = new Map([
  ['README.md', renderReadme],
  ['SCHEMA.json', (service) => documentOf(service, 'schema', {})],
  ['TEMPLATE.json', (service) => documentOf(service, 'invoke_template', {})],
  ['HOST.json', (service) => documentFromJson(hostContract(service))],
  ['SERVICE.json', ({ descriptor }) => documentFromJson(descriptor)],
  [
    'CAPS.json',
    ({ descriptor }) =>
      documentFromJson({
        invoke: isInvocable(descriptor),
        ...(isJsonObject(descriptor['capabilities']) ? descriptor['capabilities'] : {}),
      }),
  ],
  ['MOUNTS.json', (service) => documentOf(service, 'mounts', [])],
  ['OPS.json', (service) => documentOf(service, 'ops', {})],
  ['RUNTIME.json', (service) => documentOf(service, 'runtime', {})],
  ['PERMISSIONS.json', (service) => documentOf(service, 'permissions', {})],
]);

/** Names that are answered, but not listed. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['schema.json', 'SCHEMA.json'],
  ['template.json', 'TEMPLATE.json'],
]);

export const LIVE_FILES = ['status.json', 'result.json', 'last_error.txt', 'metrics.json', 'health.json'];
export const CONTROLS = ['invoke.json', 'submit.json', 'reset', 'enable', 'disable', 'restart', 'cancel'];

export function servicePath(nodeId: string, serviceId: string): string {
  return `/nodes/${nodeId}/services/${serviceId}`;
}

/** An entry of SERVICES.json. */
export interface ServiceEntry extends JsonObject {
  readonly node_id: string;
  readonly service_id: string;
  readonly service_path: string;
  readonly invoke_path: string | null;
  readonly has_invoke: boolean;
  readonly scope: 'node';
  readonly kind: string;
  readonly state: string;
  readonly summary: string;
}

export function indexEntry({ node, serviceId, descriptor }: PublishedService, state: string): ServiceEntry {
  const path = servicePath(node.id, serviceId);
  const isCallable = isInvocable(descriptor);
  return {
    node_id: node.id,
    service_id: serviceId,
    service_path: path,
    invoke_path: isCallable ? `${path}/control/invoke.json` : null,
    has_invoke: isCallable,
    scope: 'node',
    kind: textOf(descriptor, 'kind'),
    state,
    summary: summaryOf(descriptor),
  };
}

const summaries = new WeakMap<JsonObject, string>();

/** Reckoned once for each descriptor. */
function summaryOf(descriptor: JsonObject): string {
  let summary = summaries.get(descriptor);
  if (summary === undefined)
    summaries.set(descriptor, (summary = summaryFromHelp(textOf(descriptor, 'help_md'))));
  return summary;
}

function documentOf({ descriptor }: PublishedService, name: string, otherwise: JsonValue): Buffer {
  return documentFromJson(descriptor[name] ?? otherwise);
}

function textOf(descriptor: JsonObject, name: string): string {
  const value = descriptor[name];
  return typeof value === 'string' ? value : '';
}

function renderReadme({ serviceId, descriptor }: PublishedService): Buffer {
  const help = textOf(descriptor, 'help_md').trim();
  const about = help === '' ? `# ${serviceId}\n\nA service of kind ${textOf(descriptor, 'kind')}.` : help;
  return Buffer.from(
    `${about}\n\n${isInvocable(descriptor) ? howToCall(descriptor) : howToRead(descriptor)}`,
  );
}

function howToCall(descriptor: JsonObject): string {
  const { invoke_template: written, schema } = descriptor;
  const template = isJsonObject(written) ? written : {};
  const input = isJsonObject(schema) && isJsonObject(schema['input']) ? schema['input'] : {};
  const shape = shapeOfRequest(input);
  const holds = shape === undefined ? '' : `Requests are \`${shape.replaceAll('`', "'")}\`; `;
  return `## How to call it

    { ${echo(JSON.stringify(template))} >&3 && cat <&3; } 3<>control/invoke.json || cat last_error.txt

In this directory. It prints your reply, or what went wrong and what to do.
${holds}\`SCHEMA.json\` says more.
${takesLong(descriptor) ? slowCall(template) : ''}`;
}

/** Longer than a caller waits without a word. */
function takesLong(descriptor: JsonObject): boolean {
  const { timeout_ms: timeoutMs } = limitsFromDescriptor(descriptor);
  return typeof timeoutMs === 'number' && timeoutMs > SLOW_MS;
}

const SLOW_MS = 60_000;

function slowCall(template: JsonObject): string {
  return `
Slow: accepted at once, by a \`_key\` that is new for each request; \`wait\` fails when the seconds are over, and the call runs on.

    ${echo(JSON.stringify({ _key: 'k1', ...template }))} > control/submit.json && echo 60 > jobs/by-key/k1/wait && cat jobs/by-key/k1/result.json
`;
}

/** A command that prints a line as it is, in every shell. */
function echo(line: string): string {
  const quoted = `'${line.replaceAll("'", `'\\''`)}'`;
  return line.includes('\\') ? `printf '%s\\n' ${quoted}` : `echo ${quoted}`;
}

function howToRead(descriptor: JsonObject): string {
  if (typeFromDescriptor(descriptor) === 'mcp') {
    const id = textOf(descriptor, 'service_id');
    const [mount] = Array.isArray(descriptor['mounts']) ? (descriptor['mounts'] as readonly JsonValue[]) : [];
    const path = isJsonObject(mount) ? textOf(mount, 'mount_path') : '';
    const root = path === '' ? 'nothing, as it has no root' : `\`${path}\``;
    return `## How to use it

What this MCP server offers are services of their own, each called in its own directory: \`${id}.NAME\` among the
services of this node, and \`tools/NAME\`, \`prompts/NAME\` and \`templates/NAME\` below ${root}.

\`resources/\` holds what it has at addresses: each file is read from the server when it is opened. \`health.json\` says
how the server is, and a write to \`control/restart\` starts it anew.
`;
  }
  return `## How to use it

There is nothing to invoke: everything is in the files of this directory.
`;
}

/** The variables that ABI v1 promises to every driver. */
const ABI_ENVIRONMENT = [
  'NODE_ID',
  'SERVICE_ID',
  'INVOCATION_ID',
  'DEADLINE_MS',
  'ROLE',
  'AGENT_ID',
  'PROJECT_ID',
  'CONFIG_FILE',
].map((name) => `ACHERON_CALL_${name}`);

/** What the host does for this service. */
function featuresOf(descriptor: JsonObject): JsonObject {
  const comesFromManifest = typeFromDescriptor(descriptor) !== 'builtin';
  return {
    supervision: isInvocable(descriptor),
    hot_reload: comesFromManifest,
    dynamic_mounts: comesFromManifest,
    progress: isInvocable(descriptor) && comesFromManifest,
  };
}

/** `HOST.json`: what the host promises, the same for every runtime. */
function hostContract({ node, serviceId, descriptor }: PublishedService): JsonObject {
  const path = servicePath(node.id, serviceId);
  const isCallable = isInvocable(descriptor);
  const schema = descriptor['schema'];
  return {
    contract: 'acheron-service-v1',
    abi: 'namespace-driver-v1',
    runtime: typeFromDescriptor(descriptor),
    node: { id: node.id, name: node.name, platform: node.platform },
    limits: limitsFromDescriptor(descriptor),
    environment: isCallable ? ABI_ENVIRONMENT : [],
    files: [...DESCRIPTOR_FILES.keys(), ...LIVE_FILES, 'config.json'],
    controls: isCallable ? CONTROLS : [],
    features: featuresOf(descriptor),
    invoke: isCallable
      ? {
          path: `${path}/control/invoke.json`,
          submit_path: `${path}/control/submit.json`,
          schema: (isJsonObject(schema) ? schema['input'] : null) ?? {},
        }
      : null,
  };
}
