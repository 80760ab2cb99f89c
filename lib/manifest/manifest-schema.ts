import { DEFAULT_LIMITS } from './definition.js';
import { MCP_PROPERTIES } from './mcp/mcp-fields.js';
import { httpProperties } from './http-schema.js';

/** ms that a timer can hold. */
const MAX_MS = 2 ** 31 - 1;
const MAX_BYTES = 2 ** 30;

export const ABI = 'namespace-driver-v1';
export const RUNTIME_TYPES = ['native_proc', 'module', 'wasm', 'mcp', 'http', 'static'] as const;
export const PROCESS_MODES = ['oneshot', 'warm', 'persistent'] as const;
export const PROBE_DEFAULTS = {
  interval_ms: 10_000,
  timeout_ms: 2_000,
  healthy_after: 1,
  unhealthy_after: 3,
};

const NAME_PATTERN = '^(?:[A-Za-z0-9._-]|\\{node_id\\}){1,128}$';
const NO_NUL = '^[^\\u0000]*$';
const NO_NUL_SOME = '^[^\\u0000]+$';

const milliseconds = (description: string, defaultMs: number, minimum = 1) => ({
  description,
  type: 'integer',
  minimum,
  maximum: MAX_MS,
  default: defaultMs,
});
const limit = (description: string, minimum: number, maximum: number) => ({
  description,
  type: ['integer', 'null'],
  minimum,
  maximum,
  default: null,
});
const roles = (description: string) => ({
  description,
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
});
const strings = (description: string) => ({
  description,
  type: 'array',
  items: { type: 'string', pattern: NO_NUL },
});

const probe = {
  description: 'A check that the supervisor repeats; its outcome is the health of the service.',
  type: ['object', 'null'],
  required: ['type'],
  properties: {
    type: {
      description:
        'exec runs a program (exit 0 passing, 1 warning, other critical); invoke calls the service.',
      enum: ['exec', 'invoke'],
    },
    command: {
      description: 'For exec: the program and its arguments, without a shell.',
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: NO_NUL },
    },
    payload: { description: 'For invoke: the request to send.', type: 'object', default: {} },
    interval_ms: milliseconds(
      'From the end of one check to the start of the next.',
      PROBE_DEFAULTS.interval_ms,
      10,
    ),
    timeout_ms: milliseconds('A check that takes longer has failed.', PROBE_DEFAULTS.timeout_ms),
    healthy_after: {
      description: 'Passing checks in a row that make a service healthy again.',
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: PROBE_DEFAULTS.healthy_after,
    },
    unhealthy_after: {
      description: 'Failing checks in a row that make a service unhealthy.',
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: PROBE_DEFAULTS.unhealthy_after,
    },
  },
};

/** What `runtime` may hold when its type is one that this program runs. */
const runtimeProperties = {
  abi: {
    description: 'The contract between Acheron and the driver.',
    const: ABI,
    default: ABI,
  },
  executable_path: {
    description:
      'native_proc: the program. With a slash: relative to the manifest; without: looked up on PATH. Without this field the service is listed, but cannot be invoked.',
    type: 'string',
    pattern: NO_NUL_SOME,
  },
  module_path: {
    description:
      'module: an ES module that exports invoke(payload, context); wasm: a WASI preview 1 program. Relative to the manifest.',
    type: 'string',
    pattern: NO_NUL_SOME,
  },
  args: {
    ...strings(
      'native_proc, wasm, mcp: the arguments. {payload.<path>} is replaced by that value of the request, always as one argument (not for mcp).',
    ),
    default: [],
  },
  env: {
    description:
      'Environment variables for the driver. The values never leave the node; others see the names.',
    type: 'object',
    propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
    additionalProperties: { type: 'string', pattern: NO_NUL },
    default: {},
  },
  cwd: {
    description:
      "native_proc, mcp: the working directory, relative to the manifest; the manifest's folder by default.",
    type: 'string',
    pattern: NO_NUL_SOME,
    default: '.',
  },
  output: {
    description:
      'json: stdout is one JSON document; text: any text, wrapped as {"text": …}. http: by default as the content type says.',
    enum: ['json', 'text'],
    default: 'json',
  },
  mode: {
    description:
      'native_proc: a process per call (oneshot), processes started ahead (warm), or one long-lived process that speaks NDJSON (persistent).',
    enum: [...PROCESS_MODES],
    default: 'oneshot',
  },
  warm_count: {
    description: 'warm: how many processes wait.',
    type: 'integer',
    minimum: 1,
    maximum: 64,
    default: 1,
  },
  entrypoint: {
    description: 'wasm: the exported function to start.',
    type: 'string',
    minLength: 1,
    default: '_start',
  },
  max_memory_bytes: limit(
    'wasm: the most memory that an instance may have; null: what it declares.',
    65_536,
    2 ** 32,
  ),
  allow_dash: {
    description: 'Lets a placeholder in args become a value that begins with "-".',
    type: 'boolean',
    default: false,
  },
  timeout_ms: milliseconds('How long one call may take.', DEFAULT_LIMITS.timeoutMs),
  max_payload_bytes: {
    description: 'The largest request.',
    type: 'integer',
    minimum: 2,
    maximum: MAX_BYTES,
    default: DEFAULT_LIMITS.maxPayloadBytes,
  },
  max_output_bytes: {
    description:
      'The most that a driver may write to stdout or stderr in one call; http: the most that an answer may hold, decoded.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_BYTES,
    default: DEFAULT_LIMITS.maxOutputBytes,
  },
  max_concurrency: {
    description: 'How many calls run at once.',
    type: 'integer',
    minimum: 1,
    maximum: 1024,
    default: DEFAULT_LIMITS.maxConcurrency,
  },
  max_queue: {
    description: 'How many calls may wait for their turn; the next is refused with EBUSY.',
    type: 'integer',
    minimum: 0,
    maximum: 100_000,
    default: DEFAULT_LIMITS.maxQueue,
  },
  kill_grace_ms: milliseconds('From SIGTERM to SIGKILL.', DEFAULT_LIMITS.killGraceMs, 0),
  memory_bytes: limit(
    'The address space of a driver process; null: no limit.',
    1_048_576,
    Number.MAX_SAFE_INTEGER,
  ),
  cpu_seconds: limit('The processor time of a driver process; null: no limit.', 1, MAX_MS),
  open_files: limit('The open descriptors of a driver process; null: no limit.', 8, 1_048_576),
  user: {
    description:
      'The user that the driver runs as (a name or a number, as a string); for nodes that run as root.',
    type: ['string', 'null'],
    pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*$',
    maxLength: 64,
    default: null,
  },
  probe: { ...probe, default: null },
  ...MCP_PROPERTIES,
  ...httpProperties,
};

const actionRoles = {
  type: 'object',
  properties: { allow_roles: roles('Roles that may do this; "all" or "*" for every role.') },
};

/**
 * The format of a manifest as JSON Schema, draft-07 because that is what editors know best. It is what
 * the reader checks by, and what is published as `manifests/acheron-manifest.schema.json`.
 */
export const MANIFEST_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Acheron service manifest',
  description:
    'A service of an Acheron node. {node_id} is replaced by the id of the node in every string value. docs/MANIFEST.md has examples.',
  type: 'object',
  required: ['service_id', 'kind'],
  properties: {
    $schema: { description: 'Where an editor finds this schema.', type: 'string' },
    service_id: {
      description: 'The name of the service, unique on its node.',
      type: 'string',
      pattern: NAME_PATTERN,
      not: { enum: ['.', '..'] },
    },
    kind: {
      description: 'What sort of service it is, for people and programs that choose by it.',
      type: 'string',
      pattern: NAME_PATTERN,
      not: { enum: ['.', '..'] },
    },
    enabled: {
      description:
        'Whether the service is there. With false the file is kept, the service is left out, and its state waits for it.',
      type: 'boolean',
      default: true,
    },
    version: {
      description: 'The version of the service, as its author counts.',
      type: 'string',
      minLength: 1,
      maxLength: 128,
      default: '1',
    },
    state: {
      description: 'The state to declare.',
      type: 'string',
      minLength: 1,
      maxLength: 64,
      default: 'online',
    },
    endpoints: {
      ...strings(
        'Paths under /nodes/{node_id}/ at which the service is found; by default the paths of its mounts.',
      ),
    },
    capabilities: { description: 'Shown in CAPS.json.', type: 'object' },
    mounts: {
      description:
        'Derived roots: further paths that show the service directory; by default /nodes/{node_id}/<service_id>.',
      type: 'array',
      maxItems: 64,
      items: {
        type: 'object',
        required: ['mount_path'],
        properties: {
          mount_id: {
            description: 'A name, unique in this manifest.',
            type: 'string',
            pattern: NAME_PATTERN,
          },
          mount_path: {
            description: 'An absolute path under /nodes/{node_id}/.',
            type: 'string',
            pattern: NO_NUL_SOME,
          },
          state: { description: 'The state to declare.', type: 'string', minLength: 1, maxLength: 64 },
        },
      },
    },
    ops: { description: 'Shown in OPS.json.', type: 'object' },
    runtime: {
      description: 'How a call is run, and within which limits.',
      type: 'object',
      default: { type: 'static' },
      properties: {
        type: {
          description:
            'native_proc, module, wasm, mcp, http or static; a service of another type is listed, but cannot be invoked.',
          default: 'static',
          type: 'string',
          minLength: 1,
          anyOf: [{ enum: [...RUNTIME_TYPES] }, {}],
        },
      },
      if: { properties: { type: { enum: [...RUNTIME_TYPES] } } },
      then: { properties: runtimeProperties },
    },
    permissions: {
      description: 'Who may use the service; {} denies all but admins.',
      type: 'object',
      default: { default: 'deny-by-default' },
      properties: {
        default: {
          description: 'What holds where allow_roles is absent.',
          enum: ['allow', 'deny', 'deny-by-default'],
        },
        allow_roles: roles('Roles that may use it; "all" or "*" for every role.'),
        require_project_token: { description: 'Asks for a verified project token.', type: 'boolean' },
        project_token_required: { description: 'The same as require_project_token.', type: 'boolean' },
        actions: {
          description:
            'Roles by action (observe, read, write, invoke, control, mount); control is for admins unless listed here.',
          type: 'object',
          additionalProperties: actionRoles,
        },
      },
    },
    schema: {
      description:
        'input is the JSON Schema (2020-12, or draft-07 by its $schema) of a request; the rest is for readers.',
      type: 'object',
      default: {},
      properties: { input: { type: ['object', 'boolean'] } },
    },
    invoke_template: {
      description:
        'A request that works: what invoke.json shows before it is written. Made from schema.input by default.',
      type: 'object',
    },
    help_md: { description: 'The text of README.md, in Markdown.', type: 'string', default: '' },
    labels: {
      description: 'Names and values to choose services by.',
      type: 'object',
      additionalProperties: { type: 'string' },
      default: {},
    },
  },
};

export const MANIFEST_FIELDS: ReadonlySet<string> = new Set(Object.keys(MANIFEST_SCHEMA.properties));
export const RUNTIME_FIELDS: ReadonlySet<string> = new Set(['type', ...Object.keys(runtimeProperties)]);
export const PROBE_FIELDS: ReadonlySet<string> = new Set(Object.keys(probe.properties));
