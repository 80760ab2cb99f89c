import { documentFromJson, type JsonObject, type JsonValue } from '../core/index.js';
import type { RuntimeDefinition } from '../manifest/index.js';
import type { Service } from './service.js';

/** The read-only files of a service directory that its descriptor makes; rendered from the definition. */
export const DESCRIPTOR_FILES: ReadonlyMap<string, (service: Service) => Buffer> = new Map([
  ['README.md', renderReadme],
  ['SCHEMA.json', (service) => documentFromJson(service.definition.schema)],
  ['TEMPLATE.json', (service) => documentFromJson(service.definition.invokeTemplate)],
  ['HOST.json', (service) => documentFromJson(hostContract(service))],
  [
    'SERVICE.json',
    (service) =>
      documentFromJson({
        ...service.definition.descriptor,
        digest: service.definition.descriptorDigest,
        revision: service.revision,
      }),
  ],
  ['CAPS.json', (service) => documentFromJson(capabilities(service))],
  ['MOUNTS.json', (service) => documentFromJson(fieldOf(service, 'mounts') ?? [])],
  ['OPS.json', (service) => documentFromJson(fieldOf(service, 'ops') ?? {})],
  ['RUNTIME.json', (service) => documentFromJson(fieldOf(service, 'runtime') ?? {})],
  ['PERMISSIONS.json', (service) => documentFromJson(service.definition.permissions)],
]);

/** Names that are answered, but not listed. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['schema.json', 'SCHEMA.json'],
  ['template.json', 'TEMPLATE.json'],
]);

export function servicePath(service: Service): string {
  return `/nodes/${service.environment.nodeId}/services/${service.id}`;
}

function fieldOf(service: Service, name: string): JsonValue | undefined {
  return service.definition.descriptor[name];
}

function capabilities(service: Service): JsonObject {
  return { invoke: service.runnable, ...service.definition.capabilities };
}

function renderReadme(service: Service): Buffer {
  const { definition } = service;
  const help =
    definition.helpMd.trim() === ''
      ? `# ${service.id}\n\nA service of kind ${definition.kind}.`
      : definition.helpMd.trim();
  return Buffer.from(`${help}\n\n${service.runnable ? howToCall(service) : howToRead()}`);
}

function howToCall(service: Service): string {
  const template = service.definition.invokeTemplate;
  const ask = JSON.stringify(template);
  const keyed = JSON.stringify({ _key: 'my-1', ...template });
  return `## How to call it

The commands begin in this directory. The exit status of the write is the outcome; \`last_error.txt\` says
what went wrong and what to do.

    ${echo(ask)} > control/invoke.json && cat result.json || cat last_error.txt

\`result.json\` is the last success of all who call as you do. Your own reply comes from the descriptor that
wrote the request:

    exec 3<>control/invoke.json; ${echo(ask)} >&3; cat <&3; exec 3>&-

or by a name that you give the call. Sent again, the same request under the same \`_key\` does not run again:
it is answered as it was.

    ${echo(keyed)} > control/invoke.json; cat jobs/by-key/my-1/result.json

Slow work: \`submit.json\` returns at once, and \`wait\` when the call has ended, or fails after so many seconds.
\`stderr\` beside it grows meanwhile.

    ${echo(keyed)} > control/submit.json && echo 60 > jobs/by-key/my-1/wait && cat jobs/by-key/my-1/result.json

\`SCHEMA.json\` says what a request may hold, \`TEMPLATE.json\` is one to start from.
`;
}

/** A command that prints a line as it is, in every shell. */
function echo(line: string): string {
  const quoted = `'${line.replaceAll("'", `'\\''`)}'`;
  return line.includes('\\') ? `printf '%s\\n' ${quoted}` : `echo ${quoted}`;
}

function howToRead(): string {
  return `## How to use it

There is nothing to invoke: everything is in the files of this directory.
`;
}

const LIMITS: readonly (readonly [string, (runtime: RuntimeDefinition) => number | string | null])[] = [
  ['timeout_ms', ({ limits }) => limits.timeoutMs],
  ['max_payload_bytes', ({ limits }) => limits.maxPayloadBytes],
  ['max_output_bytes', ({ limits }) => limits.maxOutputBytes],
  ['max_concurrency', ({ limits }) => limits.maxConcurrency],
  ['max_queue', ({ limits }) => limits.maxQueue],
  ['kill_grace_ms', ({ limits }) => limits.killGraceMs],
  [
    'memory_bytes',
    (runtime) => (runtime.type === 'wasm' ? runtime.maxMemoryBytes : null) ?? runtime.limits.memoryBytes,
  ],
  ['cpu_seconds', ({ limits }) => limits.cpuSeconds],
  ['open_files', ({ limits }) => limits.openFiles],
];

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

/** The type of a runtime as the manifest names it. */
export function runtimeName(runtime: RuntimeDefinition): string {
  return runtime.type === 'unsupported' ? runtime.declared : runtime.type;
}

/** What the host does for this service. */
function featuresOf({ definition, runnable }: Service): JsonObject {
  const comesFromManifest = definition.runtime.type !== 'builtin';
  return {
    supervision: runnable,
    hot_reload: comesFromManifest,
    dynamic_mounts: comesFromManifest,
    progress: false,
  };
}

/** `HOST.json`: what the host promises, the same for every runtime. */
function hostContract(service: Service): JsonObject {
  const { definition, environment } = service;
  const path = servicePath(service);
  return {
    contract: 'acheron-service-v1',
    abi: 'namespace-driver-v1',
    runtime: runtimeName(definition.runtime),
    node: { id: environment.nodeId, name: environment.nodeName, platform: environment.platform },
    limits: Object.fromEntries(LIMITS.map(([name, of]) => [name, of(definition.runtime)])),
    environment: service.runnable ? ABI_ENVIRONMENT : [],
    files: [...DESCRIPTOR_FILES.keys(), ...LIVE_FILES, 'config.json'],
    controls: service.runnable ? CONTROLS : [],
    features: featuresOf(service),
    invoke: service.runnable
      ? {
          path: `${path}/control/invoke.json`,
          submit_path: `${path}/control/submit.json`,
          schema: definition.schema.input ?? {},
        }
      : null,
  };
}

export const LIVE_FILES = ['status.json', 'result.json', 'last_error.txt', 'metrics.json', 'health.json'];
export const CONTROLS = ['invoke.json', 'submit.json', 'reset', 'enable', 'disable', 'restart', 'cancel'];
