import {
  ProtocolError,
  ProtocolErrorCode,
  inputRequired,
  type ClientCapabilities,
  type ElicitRequestFormParams,
  type InputRequiredResult,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { CLIENT_CAPABILITIES_META_KEY_V2 } from '@modelcontextprotocol/ext-tasks/core/v2';
import * as z from 'zod';
import { isJsonObject, type JsonObject } from '../core/index.js';

/** What a driver asks in the middle of a call, as `question.json` has it. */
export interface Asked {
  /** Which question of its job it is. */
  readonly number: number;
  readonly message: string;
  readonly schema: JsonObject;
}

/** How much of a call's progress and stderr its client was told: a call that goes on after a question says nothing twice. */
export interface Told {
  readonly progress: number;
  readonly stderrBytes: number;
}

/** What the client's user says to a question. */
export interface Answer {
  readonly number: number;
  /** Null where the user declines. */
  readonly content: JsonObject | null;
}

/** A call that goes on, with what its client answers. */
export interface Resumed {
  readonly job: string;
  readonly answer: Answer;
  readonly told: Told;
}

export const NOTHING_TOLD: Told = { progress: -1, stderrBytes: 0 };

/** The name of the one question that is asked at a time. */
const QUESTION = 'question';
/**
 * What the client sends back with its answer. It need not be signed: whoever makes it up can do no more than answer a
 * question of a job that is the session's own.
 */
const STATE = z.object({
  job: z.string(),
  number: z.number(),
  progress: z.number(),
  stderrBytes: z.number().int().nonnegative(),
});

/** Whether the client of this request shows its user the forms of questions. */
export function takesQuestions(
  { mcpReq }: ServerContext,
  ofSession: () => ClientCapabilities | undefined,
): boolean {
  const ofRequest: unknown = (mcpReq.envelope as JsonObject | undefined)?.[CLIENT_CAPABILITIES_META_KEY_V2];
  const { elicitation } =
    (mcpReq.envelope === undefined ? ofSession() : (ofRequest as ClientCapabilities)) ?? {};
  // One that names no kind at all means forms.
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}

/** The answer to a call whose driver asks something. */
export function questionTo(job: string, asked: Asked, told: Told): InputRequiredResult {
  return inputRequired({
    inputRequests: { [QUESTION]: inputRequired.elicit(formOf(asked)) },
    requestState: JSON.stringify({ job, number: asked.number, ...told }),
  });
}

/** The question as a form that the client shows. */
export function formOf({
  message,
  schema,
}: Asked): Pick<ElicitRequestFormParams, 'message' | 'requestedSchema'> {
  return { message, requestedSchema: { type: 'object', properties: {}, ...schema } };
}

/**
 * What this request goes on with; undefined where it begins something.
 * @throws ProtocolError for a state that is none of ours
 */
export function resumedFrom({ mcpReq }: ServerContext): Resumed | undefined {
  const state: unknown = mcpReq.requestState();
  if (state === undefined) return undefined;
  const parsed = typeof state === 'string' ? STATE.safeParse(jsonFrom(state)) : undefined;
  if (parsed?.success !== true)
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'The requestState is not one that was given.');
  const { job, number, ...told } = parsed.data;
  return { job, answer: { number, content: contentOf(mcpReq.inputResponses?.[QUESTION]) }, told };
}

/** What the user has filled in, as the client says; null where nothing is said, or the user declines. */
export function contentOf(response: unknown): JsonObject | null {
  const content =
    isJsonObject(response) && response['action'] === 'accept' ? (response['content'] ?? {}) : null;
  return isJsonObject(content) ? content : null;
}

function jsonFrom(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
