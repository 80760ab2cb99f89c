import type { JsonObject, JsonValue, ServiceId } from '../core/index.js';
import type { HttpRequestDefinition } from './http-definition.js';

/**
 * A service as the rest of the program knows it: a manifest with all defaults filled in, `{node_id}`
 * replaced, paths made absolute, checked. Immutable.
 */
export interface ServiceDefinition {
  readonly serviceId: ServiceId;
  readonly kind: string;
  readonly version: string;
  readonly enabled: boolean;
  /** The state the manifest declares, usually "online". */
  readonly state: string;
  readonly endpoints: readonly string[];
  readonly capabilities: JsonObject;
  readonly mounts: readonly MountDefinition[];
  readonly ops: JsonObject;
  readonly runtime: RuntimeDefinition;
  readonly permissions: JsonValue;
  /** The manifest's `schema`, as written: `schema.input` validates requests. */
  readonly schema: JsonObject;
  readonly invokeTemplate: JsonObject;
  readonly helpMd: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Where it came from, for messages: a file, or the name of what is built in. */
  readonly source: string;
  /** The whole as others may see it (env values left out), ready for SERVICE.json and the catalog. */
  readonly descriptor: JsonObject;
  /**
   * sha256 (hex) over the canonical definition, env values and absolute paths included; equal digests mean
   * nothing changed. Stays on the node: somebody who guesses an env value could check the guess by it.
   */
  readonly digest: string;
  /** sha256 (hex) over the canonical descriptor: the digest to publish. */
  readonly descriptorDigest: string;
}

export interface MountDefinition {
  readonly mountId: string;
  /** Absolute and normalized, under `/nodes/<node_id>/`. */
  readonly mountPath: string;
  readonly state: string;
}

export interface RuntimeLimits {
  readonly timeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxOutputBytes: number;
  readonly maxConcurrency: number;
  readonly maxQueue: number;
  readonly killGraceMs: number;
  readonly memoryBytes: number | null;
  readonly cpuSeconds: number | null;
  readonly openFiles: number | null;
  readonly user: string | null;
}

export const DEFAULT_LIMITS: RuntimeLimits = {
  timeoutMs: 30_000,
  maxPayloadBytes: 1024 * 1024,
  maxOutputBytes: 4 * 1024 * 1024,
  maxConcurrency: 8,
  maxQueue: 64,
  killGraceMs: 2_000,
  memoryBytes: null,
  cpuSeconds: null,
  openFiles: null,
  user: null,
};

interface RuntimeBase {
  readonly limits: RuntimeLimits;
  readonly probe: ProbeDefinition | null;
}

/** Only files; nothing to invoke. */
export interface StaticRuntime extends RuntimeBase {
  readonly type: 'static';
}

export interface ProcessRuntime extends RuntimeBase {
  readonly type: 'native_proc';
  readonly mode: 'oneshot' | 'warm' | 'persistent';
  /** Absolute, or a bare name to be looked up on PATH. */
  readonly executablePath: string;
  readonly args: readonly string[];
  readonly allowDash: boolean;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute; the manifest's folder unless it says otherwise. */
  readonly cwd: string;
  readonly output: 'json' | 'text';
  readonly warmCount: number;
}

export interface ModuleRuntime extends RuntimeBase {
  readonly type: 'module';
  readonly modulePath: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface WasmRuntime extends RuntimeBase {
  readonly type: 'wasm';
  readonly modulePath: string;
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly maxMemoryBytes: number | null;
  readonly output: 'json' | 'text';
}

/** What decides which MCP server is talked to, and how. Two services with equal settings share the server. */
export interface McpServerSettings {
  /** The service of the manifest. */
  readonly serviceId: ServiceId;
  /** A program that speaks over its standard input and output; null for a server at `url`. */
  readonly program: {
    readonly executablePath: string;
    readonly args: readonly string[];
    readonly cwd: string;
  } | null;
  readonly url: string | null;
  /** As written: `{env.NAME}` is filled in where they are sent. */
  readonly headers: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly envFile: string | null;
  readonly session: 'shared' | 'principal';
  readonly elicitation: boolean;
  readonly limits: RuntimeLimits;
}

/** One thing that an MCP server offers, as a service: how it is called there. */
export interface McpOffer {
  readonly kind: 'tool' | 'prompt' | 'template';
  /** The name of a tool or prompt, the URI template of resources. */
  readonly name: string;
}

/** An MCP server, or one thing of it. */
export interface McpRuntime extends RuntimeBase {
  readonly type: 'mcp';
  readonly server: McpServerSettings;
  /** Null: this is the server itself, which offers services and is none. */
  readonly offer: McpOffer | null;
  /** Of the server: which tools become services, and with what permissions of their own; null: all. */
  readonly tools: readonly (readonly [name: string, permissions: JsonValue | null])[] | null;
}

/** A request to an HTTP server for each call. */
export interface HttpRuntime extends RuntimeBase, HttpRequestDefinition {
  readonly type: 'http';
}

/** A type that this program does not run, or one without its path field: listed, without `control/`. */
export interface UnsupportedRuntime extends RuntimeBase {
  readonly type: 'unsupported';
  /** The type as the manifest names it. */
  readonly declared: string;
}

/** Built into this program (the fs and terminal providers): its driver is handed over by the composition root. */
export interface BuiltinRuntime extends RuntimeBase {
  readonly type: 'builtin';
  readonly name: string;
}

export type RuntimeDefinition =
  | StaticRuntime
  | ProcessRuntime
  | ModuleRuntime
  | WasmRuntime
  | McpRuntime
  | HttpRuntime
  | UnsupportedRuntime
  | BuiltinRuntime;

export interface ProbeDefinition {
  readonly type: 'exec' | 'invoke';
  /** For exec: the program and its arguments; for invoke: the payload. */
  readonly command: readonly string[];
  readonly payload: JsonObject;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyAfter: number;
  readonly unhealthyAfter: number;
}
