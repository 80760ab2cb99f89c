import { FsError, type JsonObject, type JsonValue, type ServiceId } from '../core/index.js';
import { checkFormat } from './check-format.js';
import {
  DEFAULT_LIMITS,
  type BuiltinRuntime,
  type RuntimeLimits,
  type ServiceDefinition,
} from './definition.js';
import { pointerFromPath, Problems } from './fault.js';
import { finishDefinition } from './finish-definition.js';
import { compileInputSchema, type InputValidator } from './input-schema.js';
import { endpointsFrom, mountsFrom } from './mounts.js';
import { withNodeId } from './read-manifest.js';
import { templateFromSchema } from './template.js';

/**
 * The definition of a service that this program brings itself (exports, terminals), from the same fields
 * as a manifest. Its mounts may be where manifests' may not (`fs`, `terminal`). Leave `runtime` out: it is
 * `builtin`, shown by `name`.
 * @throws TypeError when the manifest is wrong: that is a mistake in the program.
 */
export function builtinDefinition(
  manifest: JsonObject,
  facts: { nodeId: string; name: string; limits?: Partial<RuntimeLimits> },
): ServiceDefinition {
  const { nodeId, name } = facts;
  const problems = new Problems();
  const written = withNodeId({ ...manifest, runtime: { type: 'builtin', name } }, nodeId) as JsonObject;
  checkFormat(written, problems);
  refuse(problems, name);
  const serviceId = written['service_id'] as ServiceId;
  const state = (written['state'] ?? 'online') as string;
  const reserved = new Set(['README.md', 'NODE.json', 'STATUS.json', 'CAPS.json', 'services']);
  const mounts = mountsFrom(written, { serviceId, nodeId, state, reserved }, problems);
  const endpoints = endpointsFrom(written, mounts, { nodeId, reserved }, problems);
  refuse(problems, name);
  const runtime: BuiltinRuntime = {
    type: 'builtin',
    name,
    limits: { ...DEFAULT_LIMITS, ...facts.limits },
    probe: null,
  };
  const input = (written['schema'] as JsonObject | undefined)?.['input'];
  const invokeTemplate =
    (written['invoke_template'] as JsonObject | undefined) ??
    templateFromSchema(input, compileBuiltin(input, name)) ??
    {};
  return finishDefinition({
    manifest: written,
    nodeId,
    source: `built-in ${serviceId}`,
    serviceId,
    state,
    mounts,
    endpoints,
    runtime,
    invokeTemplate,
  });
}

function compileBuiltin(input: JsonValue | undefined, name: string): InputValidator {
  try {
    return compileInputSchema(input);
  } catch (thrown) {
    throw new TypeError(`The built-in service ${name}: ${FsError.from(thrown).message}`, { cause: thrown });
  }
}

function refuse(problems: Problems, name: string): void {
  const [first] = problems.faults;
  if (first !== undefined)
    throw new TypeError(`The built-in service ${name}: ${pointerFromPath(first.path)} ${first.message}`);
}
