import { FsError, isJsonObject, type JsonObject } from '../core/index.js';
import {
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { failureOf } from './call-result.js';
import type { ServiceTool } from './service-tool.js';
import type { ToolAnswer, ToolCalls } from './tool-calls.js';
import type { ToolCatalog } from './tool-catalog.js';

/** So many services are named at a time. */
const MAX_FOUND = 20;

export const COMPACT_TOOLS: readonly Tool[] = [
  {
    name: 'find_services',
    description: 'Finds services by words of their name and description; without words, the first of all.',
    inputSchema: {
      type: 'object',
      properties: {
        words: { type: 'string' },
        after: { type: 'string', description: 'The last name of the page before.' },
      },
    },
  },
  {
    name: 'describe_service',
    description: 'What a service does, a request that works, and the schema of its requests.',
    inputSchema: { type: 'object', properties: { service: { type: 'string' } }, required: ['service'] },
  },
  {
    name: 'call_service',
    description:
      'Calls a service; or, with job alone, waits for a call that was still running (cancel ends it).',
    inputSchema: {
      type: 'object',
      properties: {
        service: { type: 'string' },
        request: { type: 'object' },
        job: { type: 'string' },
        wait_seconds: { type: 'number' },
        cancel: { type: 'boolean' },
      },
    },
  },
];

/** Three tools in place of one for each service: for catalogs that are too large to be in an agent's mind. */
export class CompactTools {
  readonly #catalog: ToolCatalog;
  readonly #calls: ToolCalls;

  constructor(catalog: ToolCatalog, calls: ToolCalls) {
    this.#catalog = catalog;
    this.#calls = calls;
  }

  /** @throws ProtocolError for a tool that there is not */
  async call(name: string, args: JsonObject, ctx: ServerContext): Promise<ToolAnswer> {
    try {
      if (name === 'find_services') return textOf(await this.#find(args));
      if (name === 'describe_service') return textOf(describe(await this.#service(args['service'])));
      if (name === 'call_service') return await this.#call(args, ctx);
    } catch (thrown) {
      return failureOf(FsError.from(thrown));
    }
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${name}`);
  }

  async #call(args: JsonObject, ctx: ServerContext): Promise<ToolAnswer> {
    const { service, request = {}, job } = args;
    if (service === undefined && job !== undefined) return this.#calls.jobStatus(args, ctx);
    if (!isJsonObject(request)) throw new FsError('EINVAL', 'request must be an object.');
    return this.#calls.invoke(await this.#service(service), request, ctx);
  }

  /** A line for each: its name and what it is for; those that have most of the words first. */
  async #find({ words, after }: JsonObject): Promise<string> {
    const all = [...(await this.#catalog.tools()).values()];
    const wanted = typeof words === 'string' ? (words.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) : [];
    const scored = all
      .map((tool) => ({ tool, score: scoreOf(tool, wanted) }))
      .filter(({ score }) => wanted.length === 0 || score > 0)
      .sort((one, other) => other.score - one.score);
    const from = scored.findIndex(({ tool }) => nameOf(tool) === after) + 1;
    const page = scored.slice(from, from + MAX_FOUND);
    const lines = page.map(({ tool }) => `${nameOf(tool)}: ${tool.summary}`);
    const left = scored.length - from - page.length;
    if (lines.length === 0)
      return all.length === 0 ? 'There are no services.' : 'None. Try fewer or other words.';
    return [...lines, ...(left > 0 ? [`${left} more: ask with "after".`] : [])].join('\n');
  }

  /** By `node/service`, by the service alone where one node has it, or as a tool is named. */
  async #service(wanted: unknown): Promise<ServiceTool> {
    const tools = await this.#catalog.tools();
    const name = typeof wanted === 'string' ? wanted : '';
    const exact = tools.get(name) ?? [...tools.values()].find((tool) => nameOf(tool) === name);
    if (exact !== undefined) return exact;
    const [first, ...others] = [...tools.values()].filter(({ serviceId }) => serviceId === name);
    if (first !== undefined && others.length === 0) return first;
    if (first !== undefined)
      throw new FsError('EINVAL', `Several nodes have a service ${JSON.stringify(name)}.`, {
        hint: `Name one of: ${[first, ...others].slice(0, MAX_FOUND).map(nameOf).join(', ')}`,
      });
    throw new FsError('ENOENT', `There is no service ${JSON.stringify(name)}.`, {
      hint: 'find_services names those there are.',
    });
  }
}

const nameOf = ({ nodeId, serviceId }: ServiceTool): string => `${nodeId}/${serviceId}`;

/** A word counts more in a name than in a description. */
function scoreOf({ nodeId, serviceId, tool }: ServiceTool, words: readonly string[]): number {
  const name = `${nodeId}/${serviceId}`.toLowerCase();
  const text = (tool.description ?? '').toLowerCase();
  return words.reduce((sum, word) => sum + (name.includes(word) ? 3 : 0) + (text.includes(word) ? 1 : 0), 0);
}

function describe({ tool, template }: ServiceTool): string {
  const { $schema: _dialect, title: _title, ...schema } = tool.inputSchema;
  const output = tool.outputSchema === undefined ? [] : [`answers: ${JSON.stringify(tool.outputSchema)}`];
  return [
    tool.description ?? '',
    `for instance: ${JSON.stringify(template)}`,
    `requests: ${JSON.stringify(schema)}`,
    ...output,
  ].join('\n');
}

const textOf = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] });
