import { McpServer, type McpRequestContext } from '@modelcontextprotocol/server';
import type { SeenTree } from '../worldfs/index.js';
import { ToolCalls, argumentsOf } from './tool-calls.js';
import { ToolCatalog, type Selection } from './tool-catalog.js';

export interface McpSettings extends Selection {
  readonly version: string;
  /** How long a call is waited for before its job is named instead of its result. */
  readonly patienceMs: number;
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
    const { version, patienceMs } = this.#settings;
    const server = new McpServer(
      { name: 'acheron', title: 'Acheron', version },
      { capabilities: { tools: { listChanged: true }, logging: {} }, instructions: INSTRUCTIONS },
    );
    const calls = new ToolCalls(this.#tree, this.catalog, { patienceMs, asker: 'job_status' });
    server.server.setRequestHandler('tools/list', async () => ({ tools: await calls.list(era) }));
    server.server.setRequestHandler('tools/call', async ({ params }, ctx) =>
      calls.call(params.name, argumentsOf(params.arguments), ctx),
    );
    return server;
  }

  close(): void {
    this.catalog.close();
  }
}

const INSTRUCTIONS =
  'Each tool <node>__<service> runs a service of a machine. A failed call begins with an errno: EINVAL: correct the ' +
  'arguments as it says; EACCES, EPERM: not for you; EBUSY: try again when it says; EHOSTDOWN: its machine is away; ' +
  'EIO: the service failed. What takes long is answered with a job, which job_status waits for.';
