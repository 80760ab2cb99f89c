import { FsError, isJsonObject, type JsonObject } from '../core/index.js';
import {
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
  type ClientCapabilities,
  type InputRequiredResult,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import type { SeenTree, ShownProgress } from '../worldfs/index.js';
import { failureOf, resultOf, stillRunning } from './call-result.js';
import { followerFor } from './follower.js';
import { JOB_STATUS, jobRequestFrom } from './job-status.js';
import { Job, type Outcome } from './job.js';
import {
  NOTHING_TOLD,
  questionTo,
  resumedFrom,
  takesQuestions,
  type Asked,
  type Resumed,
  type Told,
} from './questions.js';
import type { ServiceTool } from './service-tool.js';
import { legacyTask, modernTask, takesTasks } from './tasks.js';
import type { ToolCatalog } from './tool-catalog.js';

/** What is the same for all calls of a connection. */
export interface CallSettings {
  /** How long a call is waited for before its job is named instead of its result. */
  readonly patienceMs: number;
  /** The tool that asks after a job, as the client calls it. */
  readonly asker: string;
  readonly era: 'legacy' | 'modern';
  /** What the client of a session said that it takes. */
  readonly capabilities: () => ClientCapabilities | undefined;
}

/** What a call has come to: its result, or nothing yet. */
type Called =
  | { readonly result: ToolAnswer }
  | { readonly progress: ShownProgress | undefined; readonly asked: Asked | undefined };

/** A result, or what the client is asked before there is one. */
export type ToolAnswer = CallToolResult | InputRequiredResult;

interface Waiting {
  readonly ms: number;
  /** `<node>/<service>` */
  readonly service: string;
  /** Whether the job ends where the client gives up the request. */
  readonly cancels: boolean;
  readonly told?: Told | undefined;
}

/** A call that has not ended by then is a task, where the client takes any. */
const TASK_AFTER_MS = 5000;

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

  async list(): Promise<Tool[]> {
    const tools = [...(await this.#catalog.tools()).values()];
    const shown = tools.map((tool) => this.#shown(tool));
    return tools.length === 0 ? shown : [...shown, JOB_STATUS];
  }

  /** @throws ProtocolError for a tool that there is not, or not for this session */
  async call(name: string, args: JsonObject, ctx: ServerContext): Promise<ToolAnswer> {
    if (name === JOB_STATUS.name) return this.jobStatus(args, ctx);
    return this.invoke(await this.#tool(name), args, ctx);
  }

  async #tool(name: string): Promise<ServiceTool> {
    const tool = (await this.#catalog.tools()).get(name);
    if (tool === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${name}`);
    return tool;
  }

  /** Calls a service, and waits as long as the client has patience; then it is a task, or a job to be asked for. */
  async invoke(tool: ServiceTool, args: JsonObject, ctx: ServerContext): Promise<ToolAnswer> {
    const { patienceMs, asker, era } = this.#settings;
    const hasTasks = era === 'modern' && takesTasks(ctx);
    const resumed = resumedFrom(ctx);
    const service = `${tool.nodeId}/${tool.serviceId}`;
    try {
      const job = await (resumed?.job.startsWith(`${service}/`) === true
        ? this.#answered(resumed)
        : Job.submit(this.#tree, tool, args));
      const called = await this.#waitFor(job, ctx, {
        ms: hasTasks ? Math.min(patienceMs, TASK_AFTER_MS) : patienceMs,
        ...{ service, cancels: true, told: resumed?.told },
      });
      if ('result' in called) return called.result;
      return hasTasks ? await modernTask(job) : stillRunning(job.name, called.progress, asker, called.asked);
    } catch (thrown) {
      return failureOf(FsError.from(thrown));
    }
  }

  /** Calls a service as a task from the beginning, as clients of 2025-11-25 may want it. */
  async begin(name: string, args: JsonObject): Promise<CallToolResult> {
    try {
      return await legacyTask(await Job.submit(this.#tree, await this.#tool(name), args));
    } catch (thrown) {
      if (thrown instanceof ProtocolError) throw thrown;
      const { code, sentence } = FsError.from(thrown);
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${code}: ${sentence}`);
    }
  }

  /** What has become of a job, which is waited for, or cancelled. */
  async jobStatus(args: JsonObject, ctx: ServerContext): Promise<ToolAnswer> {
    try {
      const { name, waitMs, cancel } = jobRequestFrom(args, this.#settings.patienceMs);
      const resumed = resumedFrom(ctx);
      const job = await (resumed?.job === name ? this.#answered(resumed) : Job.named(this.#tree, name));
      if (cancel) await job.cancel();
      const service = name.split('/').slice(0, 2).join('/');
      const called = await this.#waitFor(job, ctx, {
        ...{ ms: waitMs, service, cancels: false, told: resumed?.told },
      });
      if ('result' in called) return called.result;
      return stillRunning(name, called.progress, this.#settings.asker, called.asked);
    } catch (thrown) {
      return failureOf(FsError.from(thrown));
    }
  }

  /** The job whose question the client answers with this request. */
  async #answered({ job: name, answer }: Resumed): Promise<Job> {
    const job = await Job.named(this.#tree, name);
    await job.answer(answer);
    return job;
  }

  async #waitFor(job: Job, ctx: ServerContext, waiting: Waiting): Promise<Called> {
    const { ms, service, cancels, told: before = NOTHING_TOLD } = waiting;
    const signal = givenUp(ctx);
    const { follower, last, told } = followerFor(ctx, service, before);
    const untilAsked = takesQuestions(ctx, this.#settings.capabilities);
    let outcome: Outcome;
    try {
      outcome = await job.outcome(ms, signal, { ...follower, untilAsked });
    } catch (thrown) {
      if (signal.aborted && cancels) await job.cancel();
      throw thrown;
    }
    if (outcome.state === 'running') return { progress: last(), asked: await job.question() };
    if (outcome.state === 'asks') {
      // A client with a session asks its user within the request; others send another.
      if (cancels && this.#settings.era === 'legacy')
        signal.addEventListener('abort', () => void job.cancel().catch(() => undefined), { once: true });
      return { result: questionTo(job.name, outcome.asked, told()) };
    }
    return { result: outcome.state === 'ok' ? resultOf(outcome) : failureOf(outcome.error) };
  }

  /** A result that may come late is not promised a shape: what is answered instead would not have it. */
  #shown({ tool, timeoutMs }: ServiceTool): Tool {
    const { era, patienceMs } = this.#settings;
    const { outputSchema, ...rest } = era === 'legacy' ? plainSchema(tool) : tool;
    const execution = era === 'legacy' ? { execution: { taskSupport: 'optional' as const } } : {};
    const isSure = outputSchema !== undefined && timeoutMs <= patienceMs;
    return { ...rest, ...execution, ...(isSure ? { outputSchema } : {}) };
  }
}

/** Aborts when the client gives up the request; without a session that is when it hangs up, perhaps before we look. */
function givenUp({ mcpReq: { signal, envelope }, http }: ServerContext): AbortSignal {
  const hangUp = envelope === undefined ? undefined : http?.req?.signal;
  return hangUp === undefined ? signal : AbortSignal.any([signal, hangUp]);
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
