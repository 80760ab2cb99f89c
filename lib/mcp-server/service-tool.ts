import { summaryFromHelp, isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { Tool, ToolAnnotations } from '@modelcontextprotocol/server';
import { toolName } from './tool-name.js';

/** A service that a session may invoke, as a tool. */
export interface ServiceTool {
  readonly name: string;
  readonly nodeId: string;
  readonly serviceId: string;
  /** Its directory in the tree. */
  readonly path: string;
  readonly summary: string;
  readonly template: JsonObject;
  readonly tool: Tool;
  /** Whether a server of MCP does it: its answers may have files beside the JSON, and it may ask during a call. */
  readonly isOfServer: boolean;
  /** How long a call may take, at most, once it has begun. */
  readonly timeoutMs: number;
}

/** A help text is there to be read by people too: of a longer one an agent gets what it begins with. */
const MAX_DESCRIPTION = 600;
/** The default of `runtime.timeout_ms`. */
const TIMEOUT_MS = 30_000;

/** @param descriptor the service's SERVICE.json */
export function toolFromDescriptor(
  { nodeId, serviceId, path }: { nodeId: string; serviceId: string; path: string },
  descriptor: JsonObject,
): ServiceTool {
  const name = toolName(nodeId, serviceId);
  const help = textOf(descriptor, 'help_md');
  const schema = objectOf(descriptor, 'schema');
  const output = objectOf(schema, 'output');
  const { type, timeout_ms: timeout } = objectOf(descriptor, 'runtime');
  return {
    name,
    ...{ nodeId, serviceId, path },
    summary: summaryFromHelp(help),
    template: objectOf(descriptor, 'invoke_template'),
    isOfServer: type === 'mcp',
    timeoutMs: typeof timeout === 'number' ? timeout : TIMEOUT_MS,
    tool: {
      name,
      description: descriptionFrom(help) || `The service ${serviceId} of ${nodeId}.`,
      inputSchema: { ...objectOf(schema, 'input'), type: 'object' },
      ...(output['type'] === 'object' ? { outputSchema: output } : {}),
      ...annotationsOf(descriptor),
    },
  };
}

/** The first paragraph of a help text, as one line. */
function descriptionFrom(help: string): string {
  const paragraphs = help.split(/\n\s*\n/).map((text) => text.trim());
  const isProse = (text: string): boolean => text !== '' && !/^(#|```|~~~|<!--)/.test(text);
  const first = paragraphs.find(isProse) ?? summaryFromHelp(help);
  const line = first.replace(/\s+/g, ' ');
  return line.length > MAX_DESCRIPTION ? `${line.slice(0, MAX_DESCRIPTION - 1)}…` : line;
}

/** What the descriptor says of what a call does, in MCP's own words. */
function annotationsOf(descriptor: JsonObject): { annotations?: ToolAnnotations } {
  const given = objectOf(descriptor, 'annotations');
  const annotations: Record<string, JsonValue> = {};
  for (const hint of ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint']) {
    const value = ownValue(given, hint);
    if (typeof value === 'boolean') annotations[hint] = value;
  }
  if (typeof given['title'] === 'string') annotations['title'] = given['title'];
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

function objectOf(object: JsonObject, name: string): JsonObject {
  const value = ownValue(object, name);
  return isJsonObject(value) ? value : {};
}

function textOf(object: JsonObject, name: string): string {
  const value = ownValue(object, name);
  return typeof value === 'string' ? value : '';
}
