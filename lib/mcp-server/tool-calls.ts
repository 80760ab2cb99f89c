import { FsError, isJsonObject, type JsonObject } from '../core/index.js';
import {
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import type { SeenTree, ShownProgress } from '../worldfs/index.js';
import { failureOf, resultOf, stillRunning } from './call-result.js';
import { followerFor } from './follower.js';
import { JOB_STATUS, jobRequestFrom } from './job-status.js';
import { Job, type Outcome } from './job.js';
import type { ServiceTool } from './service-tool.js';
import type { ToolCatalog } from './tool-catalog.js';

/** What is the same for all calls of a connection. */
export interface CallSettings {
  /** How long a call is waited for before its job is named instead of its result. */
  readonly patienceMs: number;
  /** The tool that asks after a job, as the client calls it. */
  readonly asker: string;
}

/** What a call has come to: its result, or a job that runs on. */
export type Called =
  { readonly result: CallToolResult } | { readonly job: Job; readonly progress: ShownProgress | undefined };

/** The services of a tree as tools that can be called. */
export class ToolCalls {
  readonly #tree: SeenTree;
  readonly #catalog: ToolCatalog;
  readonly #settings: CallSettings;

  constructor(tree: SeenTree, catalog: ToolCatalog, settings: CallSettings) {
    this.#tree = tree;
    this.#catalog = catalog;
    this.#settings = settings;
  }

  async list(era: 'legacy' | 'modern'): Promise<Tool[]> {
    const tools = [...(await this.#catalog.tools()).values()];
    const shown = tools.map((tool) => this.#shown(tool, era));
    return tools.length === 0 ? shown : [...shown, JOB_STATUS];
  }

  /** @throws ProtocolError for a tool that there is not, or not for this session */
  async call(name: string, args: JsonObject, ctx: ServerContext): Promise<CallToolResult> {
    if (name === JOB_STATUS.name) return this.jobStatus(args, ctx);
    const tool = (await this.#catalog.tools()).get(name);
    if (tool === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${name}`);
    return this.invoke(tool, args, ctx);
  }

  /** Calls a service, and waits as long as the client has patience. */
  async invoke(tool: ServiceTool, args: JsonObject, ctx: ServerContext): Promise<CallToolResult> {
    const called = await this.begin(tool, args, ctx, this.#settings.patienceMs);
    return 'result' in called
      ? called.result
      : stillRunning(called.job.name, called.progress, this.#settings.asker);
  }

  /** Calls a service and waits for `patienceMs`. */
  async begin(tool: ServiceTool, args: JsonObject, ctx: ServerContext, patienceMs: number): Promise<Called> {
    try {
      const job = await Job.submit(this.#tree, tool.path, args);
      return await this.#waitFor(job, patienceMs, ctx, `${tool.nodeId}/${tool.serviceId}`);
    } catch (thrown) {
      return { result: failureOf(FsError.from(thrown)) };
    }
  }

  /** What has become of a job, which is waited for, or cancelled. */
  async jobStatus(args: JsonObject, ctx: ServerContext): Promise<CallToolResult> {
    try {
      const { name, waitMs, cancel } = jobRequestFrom(args, this.#settings.patienceMs);
      const job = await Job.named(this.#tree, name);
      if (cancel) await job.cancel();
      const called = await this.#waitFor(job, waitMs, ctx, name.split('/').slice(0, 2).join('/'), false);
      return 'result' in called
        ? called.result
        : stillRunning(called.job.name, called.progress, this.#settings.asker);
    } catch (thrown) {
      return failureOf(FsError.from(thrown));
    }
  }

  /** @param cancels whether the job ends where the client gives up the request */
  async #waitFor(job: Job, ms: number, ctx: ServerContext, service: string, cancels = true): Promise<Called> {
    const { signal } = ctx.mcpReq;
    const { follower, last } = followerFor(ctx, service);
    let outcome: Outcome;
    try {
      outcome = await job.outcome(ms, signal, follower);
    } catch (thrown) {
      if (signal.aborted && cancels) await job.cancel();
      throw thrown;
    }
    if (outcome.state === 'running') return { job, progress: last() };
    return { result: outcome.state === 'ok' ? resultOf(outcome.result) : failureOf(outcome.error) };
  }

  /** A result that may come late is not promised a shape: what is answered instead would not have it. */
  #shown({ tool, timeoutMs }: ServiceTool, era: 'legacy' | 'modern'): Tool {
    const { outputSchema, ...rest } = era === 'legacy' ? plainSchema(tool) : tool;
    const isSure = outputSchema !== undefined && timeoutMs <= this.#settings.patienceMs;
    return isSure ? { ...rest, outputSchema } : rest;
  }
}

/**
 * Before 2026 a tool's schema had properties alone at its top, and there are models that refuse more. What is left out
 * holds all the same: the service checks it.
 */
function plainSchema(tool: Tool): Tool {
  const { oneOf, anyOf, allOf, not, if: when, then, else: otherwise, ...inputSchema } = tool.inputSchema;
  const isPlain = [oneOf, anyOf, allOf, not, when, then, otherwise].every((part) => part === undefined);
  return isPlain ? tool : { ...tool, inputSchema: { ...inputSchema, type: 'object' } };
}

/** The arguments of a call as they came; a client may leave them out. */
export function argumentsOf(args: unknown): JsonObject {
  return isJsonObject(args) ? args : {};
}
