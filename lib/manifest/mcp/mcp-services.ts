import {
  canonicalJson,
  isJsonObject,
  ownValue,
  type JsonObject,
  type JsonValue,
  type ServiceId,
} from '../../core/index.js';
import type { McpOffer, McpRuntime, ServiceDefinition } from '../definition.js';
import { Problems } from '../fault.js';
import { finishDefinition } from '../finish-definition.js';
import { compileInputSchema, type InputValidator } from '../input-schema.js';
import { endpointsFrom, mountsFrom } from '../mounts.js';
import type { OfferedServices } from '../offers.js';
import { templateFromSchema } from '../template.js';
import { offeredId } from './offer-names.js';
import { schemaOfPrompt, schemaOfTemplate } from './offer-schemas.js';

type McpServerDefinition = ServiceDefinition & { readonly runtime: McpRuntime };

/** So that whatever a server lists, the catalog can hold it. */
const MAX_SERVICES = 1000;
const MAX_DESCRIPTOR_CHARS = 64 * 1024;
const MAX_CHARS = 4 * 1024 * 1024;
const MAX_HELP = 8 * 1024;
/** For admins alone, as no role is let in. */
const ADMINS_ALONE: JsonObject = { default: 'deny-by-default' };

/** What a server lists, before it is a service. */
interface Listed {
  readonly offer: McpOffer;
  /** After `<server>.`. */
  readonly name: string;
  readonly input: JsonObject;
  readonly output: JsonValue | undefined;
  readonly listed: JsonObject;
}

/** The services that an MCP server gives: its tools, its prompts, and its templates of resources. */
export function mcpServices(server: McpServerDefinition, offers: JsonObject): OfferedServices {
  const definitions: ServiceDefinition[] = [];
  const warnings: string[] = [];
  const taken = new Set<string>([server.serviceId]);
  const seen = new Set<string>();
  let chars = 0;
  for (const one of listedIn(offers)) {
    const { kind, name } = one.offer;
    const what = `The ${WORDS[kind]} ${JSON.stringify(name.slice(0, 100))} of ${server.serviceId}`;
    if (kind === 'tool' && !isWanted(server, name)) continue;
    if (seen.has(`${kind} ${name}`)) {
      warnings.push(`${what} is listed twice; the first counts.`);
      continue;
    }
    seen.add(`${kind} ${name}`);
    if (definitions.length >= MAX_SERVICES) {
      warnings.push(`${server.serviceId} offers more than ${MAX_SERVICES} services; the rest is left out.`);
      break;
    }
    const serviceId = offeredId(server.serviceId, one.name, taken) as ServiceId;
    const definition = definitionOf(server, one, serviceId, (why) => warnings.push(`${what} ${why}`));
    const { length } = canonicalJson(definition.descriptor);
    if (length > MAX_DESCRIPTOR_CHARS) {
      warnings.push(
        `${what} describes itself in more than ${MAX_DESCRIPTOR_CHARS} characters; it is left out.`,
      );
      continue;
    }
    chars += length;
    if (chars > MAX_CHARS) {
      warnings.push(
        `${server.serviceId} offers more than ${MAX_CHARS} characters describe; the rest is left out.`,
      );
      break;
    }
    taken.add(serviceId);
    definitions.push(definition);
  }
  const named = server.runtime.tools?.map(([name]) => name) ?? [];
  for (const name of named)
    if (!seen.has(`tool ${name}`))
      warnings.push(`${server.serviceId} has no tool ${JSON.stringify(name)}, which its manifest names.`);
  return { definitions, warnings };
}

const WORDS: Readonly<Record<McpOffer['kind'], string>> = {
  tool: 'tool',
  prompt: 'prompt',
  template: 'resource template',
};

/** What ids begin with after that of the server, and where the services are below its root. */
const PLACES: Readonly<Record<McpOffer['kind'], { readonly folder: string; readonly prefix: string }>> = {
  tool: { folder: 'tools', prefix: '' },
  prompt: { folder: 'prompts', prefix: 'prompts.' },
  template: { folder: 'templates', prefix: 'resources.' },
};

function isWanted({ runtime }: McpServerDefinition, tool: string): boolean {
  return runtime.tools === null || runtime.tools.some(([name]) => name === tool);
}

function* listedIn(offers: JsonObject): Generator<Listed> {
  for (const tool of objectsIn(offers['tools'])) {
    const { name, inputSchema, outputSchema } = tool;
    if (typeof name !== 'string') continue;
    const input = isJsonObject(inputSchema) ? inputSchema : { type: 'object' };
    yield { offer: { kind: 'tool', name }, name, input, output: outputSchema, listed: tool };
  }
  for (const prompt of objectsIn(offers['prompts'])) {
    const { name } = prompt;
    if (typeof name !== 'string') continue;
    const input = schemaOfPrompt(prompt['arguments']);
    yield {
      offer: { kind: 'prompt', name },
      name: `${PLACES.prompt.prefix}${name}`,
      input,
      output: undefined,
      listed: prompt,
    };
  }
  for (const template of objectsIn(offers['templates'])) {
    const { name, uriTemplate } = template;
    if (typeof name !== 'string' || typeof uriTemplate !== 'string') continue;
    const input = schemaOfTemplate(uriTemplate);
    const offer = { kind: 'template', name: uriTemplate } as const;
    yield { offer, name: `${PLACES.template.prefix}${name}`, input, output: undefined, listed: template };
  }
}

function objectsIn(list: JsonValue | undefined): JsonObject[] {
  return Array.isArray(list) ? (list as readonly JsonValue[]).filter(isJsonObject) : [];
}

function definitionOf(
  server: McpServerDefinition,
  { offer, input, output, listed }: Listed,
  serviceId: ServiceId,
  warn: (why: string) => void,
): ServiceDefinition {
  const nodeId = server.descriptor['node_id'] as string;
  const { schema, validate } = usable(input, warn);
  const manifest: JsonObject = {
    service_id: serviceId,
    kind: server.kind,
    version: server.version,
    runtime: { type: 'mcp', server: server.serviceId, offer: { ...offer }, ...limitsOf(server) },
    permissions: permissionsOf(server, offer, listed),
    schema: { input: schema, ...(output === undefined ? {} : { output }) },
    help_md: helpOf(server, offer, listed),
    labels: server.labels,
    offered_by: server.serviceId,
    mounts: placesOf(server, offer.kind, serviceId),
    ...(isJsonObject(listed['annotations']) ? { annotations: listed['annotations'] } : {}),
  };
  const problems = new Problems();
  const { state } = server;
  const mounts = mountsFrom(manifest, { serviceId, nodeId, state }, problems);
  return finishDefinition({
    manifest,
    nodeId,
    source: server.source,
    serviceId,
    state,
    mounts,
    endpoints: endpointsFrom(manifest, mounts, { nodeId }, problems),
    runtime: { ...server.runtime, offer, tools: null, probe: null },
    invokeTemplate: templateFromSchema(schema, validate) ?? {},
  });
}

/** Below the root of the server: `tools/echo`, say. */
function placesOf(
  { serviceId: by, mounts }: McpServerDefinition,
  kind: McpOffer['kind'],
  serviceId: string,
): JsonObject[] {
  const [root] = mounts;
  if (root === undefined) return [];
  const { folder, prefix } = PLACES[kind];
  const own = serviceId.slice(by.length + 1);
  return [{ mount_id: serviceId, mount_path: `${root.mountPath}/${folder}/${own.slice(prefix.length)}` }];
}

/** A schema that cannot be checked by leaves the check to the server. */
function usable(
  input: JsonObject,
  warn: (why: string) => void,
): { schema: JsonObject; validate: InputValidator } {
  try {
    return { schema: input, validate: compileInputSchema(input) };
  } catch {
    warn('has an input schema that cannot be used; the server alone checks its requests.');
    const schema: JsonObject = { type: 'object' };
    return { schema, validate: compileInputSchema(schema) };
  }
}

function limitsOf({ descriptor }: McpServerDefinition): JsonObject {
  const { runtime } = descriptor;
  if (!isJsonObject(runtime)) return {};
  const names = ['timeout_ms', 'max_payload_bytes', 'max_output_bytes', 'max_concurrency', 'max_queue'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = ownValue(runtime, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function permissionsOf(
  { runtime, permissions }: McpServerDefinition,
  offer: McpOffer,
  listed: JsonObject,
): JsonValue {
  if (offer.kind !== 'tool') return permissions;
  const named = runtime.tools?.find(([name]) => name === offer.name);
  if (named !== undefined) return named[1] ?? permissions;
  const { annotations } = listed;
  const isDestructive = isJsonObject(annotations) && annotations['destructiveHint'] === true;
  return isDestructive ? ADMINS_ALONE : permissions;
}

function helpOf({ serviceId }: McpServerDefinition, { kind, name }: McpOffer, listed: JsonObject): string {
  const { annotations } = listed;
  const title = [
    listed['title'],
    isJsonObject(annotations) ? annotations['title'] : undefined,
    listed['name'],
  ].find((text): text is string => typeof text === 'string' && text.trim() !== '');
  const { description } = listed;
  const about = typeof description === 'string' ? description.trim() : '';
  const from = `The ${WORDS[kind]} \`${name.replaceAll('`', "'")}\` of the MCP server \`${serviceId}\`.`;
  const help = `# ${(title ?? name).replace(/\s+/g, ' ')}\n\n${about === '' ? '' : `${about}\n\n`}${from}\n`;
  return help.length <= MAX_HELP ? help : `${help.slice(0, MAX_HELP - 2)}…\n`;
}
