import { timeOfInvocationId, timestamp, isJsonObject, FsError, type JsonObject } from '../core/index.js';
import {
  ProtocolError,
  ProtocolErrorCode,
  RELATED_TASK_META_KEY,
  type CallToolResult,
  type McpServer,
  type ServerContext,
} from '@modelcontextprotocol/server';
import {
  TASKS_EXTENSION_ID_V2,
  CLIENT_CAPABILITIES_META_KEY_V2,
} from '@modelcontextprotocol/ext-tasks/core/v2';
import * as z from 'zod';
import type { SeenTree } from '../worldfs/index.js';
import { failureOf, progressText, resultOf } from './call-result.js';
import { Job, type Outcome } from './job.js';
import { contentOf, formOf, takesQuestions } from './questions.js';

/** How long it is certain that a task can be asked for: its job is kept for longer, unless many others push it out. */
const TTL_MS = 60 * 60 * 1000;
const POLL_MS = 1000;
/** A wait for the end of a job is renewed after so long. */
const WAIT_MS = 60 * 60 * 1000;

const TASK_PARAMS = z.looseObject({ taskId: z.string() });
/** How long a user may think about a question. */
const ANSWER_MS = 10 * 60 * 1000;

/** What both generations say of a task, but for the names of its times. */
interface TaskFacts {
  readonly taskId: string;
  readonly status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
}

/** Tasks of the revision of 2025-11-25: a client asks for one with its call. */
export const LEGACY_TASKS = { cancel: {}, requests: { tools: { call: {} } } };
/** Tasks of the revision of 2026-07-28: an extension; the server makes one of a call that takes long. */
export const TASKS_EXTENSION = { [TASKS_EXTENSION_ID_V2]: {} };

/** Whether the client of this request can be answered with a task. */
export function takesTasks({ mcpReq }: ServerContext): boolean {
  const capabilities: unknown = (mcpReq.envelope as JsonObject | undefined)?.[
    CLIENT_CAPABILITIES_META_KEY_V2
  ];
  const extensions = isJsonObject(capabilities) ? capabilities['extensions'] : undefined;
  return isJsonObject(extensions) && isJsonObject(extensions[TASKS_EXTENSION_ID_V2]);
}

/** The answer to a call that a client of 2025-11-25 wanted as a task. It wants no content; the SDK sends no answer without. */
export async function legacyTask(job: Job): Promise<CallToolResult> {
  return { content: [], task: legacyNames(factsOf(job.name, await job.status())) };
}

/** The answer to a call that has become a task. */
export async function modernTask(job: Job): Promise<CallToolResult> {
  const facts = modernNames(factsOf(job.name, await job.status()));
  return { content: [], resultType: 'task', ...facts };
}

/** Answers what is asked of tasks, in the words of the client's generation. */
export function answerTasks({ server }: McpServer, era: 'legacy' | 'modern', tree: SeenTree): void {
  const params = TASK_PARAMS;
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- clients with sessions have said it once
  const capabilities = (): ReturnType<typeof server.getClientCapabilities> => server.getClientCapabilities();
  server.setRequestHandler('tasks/get', { params }, async ({ taskId }, ctx) => {
    const { job, status } = await found(tree, taskId);
    const facts = factsOf(taskId, status);
    const isAsked = typeof status['asks'] === 'string' && takesQuestions(ctx, capabilities);
    const asked = isAsked ? await job.question() : undefined;
    if (asked !== undefined) {
      const asking = { ...facts, status: 'input_required' as const, statusMessage: asked.message };
      if (era === 'legacy') return { ...legacyNames(asking) };
      const request = { method: 'elicitation/create', params: { mode: 'form', ...formOf(asked) } };
      return { ...modernNames(asking), inputRequests: { [keyOf(asked.number)]: request } };
    }
    if (era === 'legacy') return { ...legacyNames(facts) };
    if (facts.status === 'working' || facts.status === 'cancelled') return { ...modernNames(facts) };
    // A call that failed has a result too: its error.
    const result = resultFrom(await job.outcome(0, new AbortController().signal));
    return { ...modernNames(facts), status: 'completed', result: { ...result, resultType: 'complete' } };
  });
  server.setRequestHandler('tasks/cancel', { params }, async ({ taskId }) => {
    const { job } = await found(tree, taskId);
    await job.cancel();
    if (era === 'modern') return {};
    await job.outcome(WAIT_MS, new AbortController().signal);
    return { ...legacyNames(factsOf(taskId, await job.status())) };
  });
  if (era === 'modern') {
    server.setRequestHandler('tasks/update', { params }, async ({ taskId }, { mcpReq }) => {
      const { job } = await found(tree, taskId);
      const asked = await job.question();
      const response = asked && mcpReq.inputResponses?.[keyOf(asked.number)];
      if (asked !== undefined && response !== undefined)
        await job.answer({ number: asked.number, content: contentOf(response) });
      return {};
    });
    return;
  }
  server.setRequestHandler('tasks/result', { params }, async ({ taskId }, ctx) => {
    const { job } = await found(tree, taskId);
    const { signal, id } = ctx.mcpReq;
    const untilAsked = takesQuestions(ctx, capabilities);
    const _meta = { [RELATED_TASK_META_KEY]: { taskId } };
    for (;;) {
      const outcome = await job.outcome(WAIT_MS, signal, { untilAsked });
      if (outcome.state === 'running') continue;
      if (outcome.state !== 'asks') return { ...resultFrom(outcome), _meta };
      const { asked } = outcome;
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- the revision of these tasks has nothing else for it
      const response = await server.elicitInput(
        { ...formOf(asked), _meta },
        { signal, timeout: ANSWER_MS, relatedRequestId: id },
      );
      await job.answer({ number: asked.number, content: contentOf(response) });
    }
  });
}

/** @throws ProtocolError for a task that there is not, or that is another's */
async function found(tree: SeenTree, taskId: string): Promise<{ job: Job; status: JsonObject }> {
  try {
    const job = await Job.named(tree, taskId);
    return { job, status: await job.status() };
  } catch (thrown) {
    const { code, message } = FsError.from(thrown);
    if (code !== 'ENOENT') throw thrown;
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
  }
}

function resultFrom(outcome: Outcome): CallToolResult {
  if (outcome.state === 'ok') return resultOf(outcome);
  return failureOf(
    outcome.state === 'failed' ? outcome.error : new FsError('EAGAIN', 'It is still running.'),
  );
}

function factsOf(taskId: string, status: JsonObject): TaskFacts {
  const { state, started_at: startedAt, finished_at: finishedAt, progress, error } = status;
  const progressed = isJsonObject(progress) ? progress : undefined;
  const createdAt = timestamp(timeOfInvocationId(taskId.split('/')[2] ?? '') ?? null) ?? '';
  const last = [finishedAt, progressed?.['updated_at'], startedAt].find((time) => typeof time === 'string');
  const message = typeof error === 'string' ? error : progressed && progressText(progressed as never);
  return {
    taskId,
    status: STATUS.get(state as string) ?? 'failed',
    ...(message === undefined ? {} : { statusMessage: message }),
    createdAt,
    lastUpdatedAt: typeof last === 'string' ? last : createdAt,
  };
}

/** A client answers each question once, by its name. */
const keyOf = (number: number): string => `question-${number}`;

const STATUS = new Map<string, TaskFacts['status']>([
  ['running', 'working'],
  ['ok', 'completed'],
  ['cancelled', 'cancelled'],
]);

const legacyNames = (facts: TaskFacts): object => ({ ...facts, ttl: TTL_MS, pollInterval: POLL_MS });
const modernNames = (facts: TaskFacts): object => ({ ...facts, ttlMs: TTL_MS, pollIntervalMs: POLL_MS });
