import { McpServer, type McpRequestContext } from '@modelcontextprotocol/server';
import type { SeenTree } from '../worldfs/index.js';
import { isJsonObject } from '../core/index.js';
import { COMPACT_TOOLS, CompactTools } from './compact-tools.js';
import { answerResources } from './export-resources.js';
import { LEGACY_TASKS, TASKS_EXTENSION, answerTasks } from './tasks.js';
import { ToolCalls, argumentsOf } from './tool-calls.js';
import { ToolCatalog, type Selection } from './tool-catalog.js';

export interface McpSettings extends Selection {
  readonly version: string;
  /** How long a call is waited for before its job is named instead of its result. */
  readonly patienceMs: number;
  /** Three tools that find, describe and call services, in place of one for each. */
  readonly compact?: boolean;
}

/** What one session has of a tree, ready to be served to any number of clients of that session. */
export class McpSource {
  readonly catalog: ToolCatalog;
  readonly #tree: SeenTree;
  readonly #settings: McpSettings;

  constructor(tree: SeenTree, settings: McpSettings) {
    this.#tree = tree;
    this.#settings = settings;
    this.catalog = new ToolCatalog(tree, settings);
  }

  /** A server for one connection, or for one request where the protocol has no connections. */
  serverFor({ era }: Pick<McpRequestContext, 'era'>): McpServer {
    const { version, patienceMs, compact = false } = this.#settings;
    const server = new McpServer(
      { name: 'acheron', title: 'Acheron', version },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { listChanged: false },
          logging: {},
          ...(era === 'legacy' ? { tasks: LEGACY_TASKS } : { extensions: TASKS_EXTENSION }),
        },
        instructions: compact ? COMPACT_INSTRUCTIONS : INSTRUCTIONS,
      },
    );
    const asker = compact ? 'call_service' : 'job_status';
    const calls = new ToolCalls(this.#tree, this.catalog, {
      ...{ patienceMs, asker, era },
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- clients with sessions have said it once
      capabilities: () => server.server.getClientCapabilities(),
    });
    const three = compact ? new CompactTools(this.catalog, calls) : undefined;
    server.server.setRequestHandler('tools/list', async () => ({
      tools: three === undefined ? await calls.list() : [...COMPACT_TOOLS],
    }));
    server.server.setRequestHandler('tools/call', async ({ params }, ctx) => {
      const args = argumentsOf(params.arguments);
      if (three !== undefined) return three.call(params.name, args, ctx);
      const isTask = era === 'legacy' && isJsonObject((params as { task?: unknown }).task);
      return isTask ? calls.begin(params.name, args) : calls.call(params.name, args, ctx);
    });
    answerResources(server, this.#tree, this.#settings);
    answerTasks(server, era, this.#tree);
    return server;
  }

  close(): void {
    this.catalog.close();
  }
}

const ERRORS =
  'A failed call begins with an errno: EINVAL: correct the request as it says; EACCES, EPERM: not for you; EBUSY: try ' +
  'again when it says; EHOSTDOWN: its machine is away; EIO: the service failed.';

const INSTRUCTIONS = `Each tool <node>__<service> runs a service of a machine. ${ERRORS} What takes long is answered with a job, which job_status waits for.`;

const COMPACT_INSTRUCTIONS = `Services of machines: find_services, then describe_service, then call_service. ${ERRORS} What takes long is answered with a job, which call_service waits for.`;
