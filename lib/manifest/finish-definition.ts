import { hash } from 'node:crypto';
import {
  canonicalExactJson,
  canonicalJson,
  hasInexactNumber,
  ownValue,
  type JsonObject,
  type JsonValue,
  type ServiceId,
} from '../core/index.js';
import type { MountDefinition, RuntimeDefinition, ServiceDefinition } from './definition.js';
import { descriptorFrom } from './descriptor.js';

interface DefinitionParts {
  /** Checked, with `{node_id}` replaced. */
  readonly manifest: JsonObject;
  readonly nodeId: string;
  readonly source: string;
  readonly serviceId: ServiceId;
  readonly state: string;
  readonly mounts: readonly MountDefinition[];
  readonly endpoints: readonly string[];
  readonly runtime: RuntimeDefinition;
  readonly invokeTemplate: JsonObject;
}

/** Fills in the remaining defaults, and adds the descriptor and the digests. */
export function finishDefinition(parts: DefinitionParts): ServiceDefinition {
  const { manifest, nodeId, ...own } = parts;
  const field = <Value extends JsonValue>(name: string, fallback: Value): Value =>
    (ownValue(manifest, name) ?? fallback) as Value;
  const invocable = isCalled(own.runtime);
  const definition = {
    ...own,
    kind: field('kind', 'service'),
    version: field('version', '1'),
    enabled: field('enabled', true),
    capabilities: field<JsonObject>('capabilities', { invoke: invocable }),
    ops: field<JsonObject>(
      'ops',
      invocable
        ? {
            model: 'namespace',
            style: 'plan9',
            invoke: 'control/invoke.json',
            submit: 'control/submit.json',
          }
        : { model: 'namespace', style: 'plan9' },
    ),
    permissions: field<JsonObject>('permissions', { default: 'deny-by-default' }),
    schema: field<JsonObject>('schema', {}),
    helpMd: field('help_md', ''),
    labels: field<Readonly<Record<string, string>>>('labels', {}),
  };
  const descriptor = descriptorFrom(definition, manifest, nodeId);
  const descriptorDigest = sha256(canonicalJson(descriptor));
  // The descriptor says everything but the values of env, what relative paths mean here, and what no double holds.
  const exact = hasInexactNumber(definition.schema) ? ` ${canonicalExactJson(definition.schema)}` : '';
  const digest = sha256(`${descriptorDigest} ${canonicalJson(own.runtime)}${exact}`);
  return { ...definition, descriptor, descriptorDigest, digest };
}

/** Whether there is something to call; an MCP server has it in the services that it offers. */
function isCalled(runtime: RuntimeDefinition): boolean {
  if (runtime.type === 'mcp') return runtime.offer !== null;
  return runtime.type !== 'static' && runtime.type !== 'unsupported';
}

function sha256(text: string): string {
  return hash('sha256', text);
}
