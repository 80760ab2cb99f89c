import { resolve } from 'node:path';
import { ownValue, type JsonObject, nearest } from '../core/index.js';
import {
  DEFAULT_LIMITS,
  type ProbeDefinition,
  type RuntimeDefinition,
  type RuntimeLimits,
} from './definition.js';
import type { Problems } from './fault.js';
import { mcpServerFrom, toolsFrom } from './mcp/mcp-server-settings.js';
import { httpRequestFrom } from './http-request-from.js';
import { PROBE_DEFAULTS, RUNTIME_TYPES } from './manifest-schema.js';
import { programFrom } from './program-path.js';

/** `runtime` of a manifest that has passed the format, with defaults filled in and paths made absolute. */
export function runtimeFromManifest(
  manifest: JsonObject,
  folder: string,
  problems: Problems,
): RuntimeDefinition {
  const written = (ownValue(manifest, 'runtime') ?? {}) as JsonObject;
  const field = <Value>(name: string, fallback: Value): Value =>
    (ownValue(written, name) ?? fallback) as Value;
  const type = field<string>('type', 'static');
  if (!isRunnable(type)) {
    warnOfType(type, problems);
    return { type: 'unsupported', declared: type, limits: DEFAULT_LIMITS, probe: null };
  }
  const base = { limits: limitsFrom(field), probe: probeFrom(field('probe', null), folder, problems) };
  const env = field<Readonly<Record<string, string>>>('env', {});
  const modulePath = field<string | null>('module_path', null);
  const nothingToRun = (name: string): RuntimeDefinition => {
    warnOfMissingPath(type, name, written, problems);
    return { type: 'unsupported', declared: type, ...base };
  };
  switch (type) {
    case 'native_proc': {
      const executable = field<string | null>('executable_path', null);
      checkEnv(env, problems);
      if (executable === null) return nothingToRun('executable_path');
      return {
        type,
        ...base,
        mode: field('mode', 'oneshot'),
        executablePath: programFrom(executable, folder),
        args: field('args', []),
        allowDash: field('allow_dash', false),
        env,
        cwd: resolve(folder, field('cwd', '.')),
        output: field('output', 'json'),
        warmCount: field('warm_count', 1),
      };
    }
    case 'module':
      checkEnv(env, problems);
      if (modulePath === null) return nothingToRun('module_path');
      return { type, ...base, modulePath: resolve(folder, modulePath), env };
    case 'wasm':
      checkEnv(env, problems);
      if (modulePath === null) return nothingToRun('module_path');
      return {
        type,
        ...base,
        modulePath: resolve(folder, modulePath),
        entrypoint: field('entrypoint', '_start'),
        args: field('args', []),
        env,
        maxMemoryBytes: field<number | null>('max_memory_bytes', null),
        output: field('output', 'json'),
      };
    case 'mcp': {
      checkEnv(env, problems);
      const server = mcpServerFrom(manifest, folder, base.limits, problems);
      if (server === null) return { type: 'unsupported', declared: type, ...base };
      return { type, ...base, server, offer: null, tools: toolsFrom(manifest) };
    }
    case 'http': {
      checkEnv(env, problems);
      const request = httpRequestFrom(written, folder, problems);
      return request === null
        ? { type: 'unsupported', declared: type, ...base }
        : { type, ...base, ...request };
    }
    default:
      warnOfForgottenType(written, problems);
      return { type: 'static', ...base };
  }
}

export function isRunnable(type: string): type is (typeof RUNTIME_TYPES)[number] {
  return (RUNTIME_TYPES as readonly string[]).includes(type);
}

function limitsFrom(field: <Value>(name: string, fallback: Value) => Value): RuntimeLimits {
  return {
    timeoutMs: field('timeout_ms', DEFAULT_LIMITS.timeoutMs),
    maxPayloadBytes: field('max_payload_bytes', DEFAULT_LIMITS.maxPayloadBytes),
    maxOutputBytes: field('max_output_bytes', DEFAULT_LIMITS.maxOutputBytes),
    maxConcurrency: field('max_concurrency', DEFAULT_LIMITS.maxConcurrency),
    maxQueue: field('max_queue', DEFAULT_LIMITS.maxQueue),
    killGraceMs: field('kill_grace_ms', DEFAULT_LIMITS.killGraceMs),
    memoryBytes: field('memory_bytes', DEFAULT_LIMITS.memoryBytes),
    cpuSeconds: field('cpu_seconds', DEFAULT_LIMITS.cpuSeconds),
    openFiles: field('open_files', DEFAULT_LIMITS.openFiles),
    user: field('user', DEFAULT_LIMITS.user),
  };
}

function probeFrom(written: JsonObject | null, folder: string, problems: Problems): ProbeDefinition | null {
  if (written === null) return null;
  const field = <Value>(name: string, fallback: Value): Value =>
    (ownValue(written, name) ?? fallback) as Value;
  const type = field<'exec' | 'invoke'>('type', 'exec');
  const [program, ...args] = field<readonly string[]>('command', []);
  if (type === 'exec' && program === undefined)
    problems.fault({
      path: ['runtime', 'probe'],
      message: 'A probe of type "exec" needs a "command".',
      expected: 'a property "command"',
      got: 'none',
      hint: 'Add "command": ["program", "argument"].',
    });
  return {
    type,
    command: program === undefined ? [] : [programFrom(program, folder), ...args],
    payload: field<JsonObject>('payload', {}),
    intervalMs: field('interval_ms', PROBE_DEFAULTS.interval_ms),
    timeoutMs: field('timeout_ms', PROBE_DEFAULTS.timeout_ms),
    healthyAfter: field('healthy_after', PROBE_DEFAULTS.healthy_after),
    unhealthyAfter: field('unhealthy_after', PROBE_DEFAULTS.unhealthy_after),
  };
}

function checkEnv(env: Readonly<Record<string, string>>, problems: Problems): void {
  for (const name of Object.keys(env))
    if (name.startsWith('ACHERON_CALL_'))
      problems.fault({
        path: ['runtime', 'env', name],
        atKey: true,
        message: `${name} is set by Acheron for each call.`,
        expected: 'a name that does not begin with ACHERON_CALL_',
        got: name,
        hint: 'Choose another name.',
      });
}

function warnOfType(type: string, problems: Problems): void {
  const near = nearest(type, RUNTIME_TYPES);
  problems.warn({
    path: ['runtime', 'type'],
    message: `Acheron does not run services of type ${JSON.stringify(type)}: it will be listed, but cannot be invoked.`,
    expected: 'native_proc, module, wasm, mcp, http or static',
    got: JSON.stringify(type),
    hint:
      near === undefined
        ? 'A program is run by "native_proc", with its path in "executable_path".'
        : `Did you mean ${JSON.stringify(near)}?`,
  });
}

/** Fields that say what runs, and the types that have them. */
const FIELD_TYPES = new Map([
  ['executable_path', '"native_proc"'],
  ['module_path', '"module" or "wasm"'],
  ['command', '"mcp"'],
  ['url', '"http" or "mcp"'],
]);

/** What other types of runtime name their program by. */
const OTHER_NAMES = [...FIELD_TYPES.keys(), 'path', 'program', 'executable', 'exec'];

/** Such a service is listed, and may be meant so: what runs it is elsewhere. */
function warnOfMissingPath(type: string, name: string, written: JsonObject, problems: Problems): void {
  const instead = OTHER_NAMES.find((other) => Object.hasOwn(written, other));
  problems.warn({
    path: ['runtime', ...(instead === undefined ? [] : [instead])],
    atKey: true,
    message: `There is no ${JSON.stringify(name)} to run: the service is listed, and cannot be called.`,
    expected: `a property ${JSON.stringify(name)}`,
    got: instead === undefined ? 'none' : JSON.stringify(instead),
    hint:
      instead === undefined
        ? `Add ${JSON.stringify(name)}.`
        : `With type ${JSON.stringify(type)} it is ${JSON.stringify(name)}.`,
  });
}

function warnOfForgottenType(written: JsonObject, problems: Problems): void {
  const name = [...FIELD_TYPES.keys()].find((path) => Object.hasOwn(written, path));
  if (name === undefined) return;
  const type = FIELD_TYPES.get(name) ?? '';
  problems.fault({
    path: ['runtime', name],
    atKey: true,
    message: `A static service runs nothing, but ${JSON.stringify(name)} is given.`,
    expected: `"type": ${type}`,
    got: `"type": ${JSON.stringify(ownValue(written, 'type') ?? 'static')}`,
    hint: `Set runtime.type to ${type}, or remove ${JSON.stringify(name)}.`,
  });
}
