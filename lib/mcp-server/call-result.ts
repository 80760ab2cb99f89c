import { isJsonObject, type FsError, type JsonValue } from '../core/index.js';
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { ShownProgress } from '../worldfs/index.js';
import type { AnswerParts } from './answer-parts.js';
import type { Asked } from './questions.js';

/**
 * What a call has answered: as data where it is an object, and as text for models that read no other. An answer that was
 * in parts is these parts.
 */
export function resultOf({
  result,
  parts,
}: {
  result: JsonValue;
  parts?: AnswerParts | undefined;
}): CallToolResult {
  if (parts?.isAll === true) return { content: [...parts.blocks] };
  return {
    content: [{ type: 'text', text: JSON.stringify(result) }, ...(parts?.blocks ?? [])],
    ...(isJsonObject(result) ? { structuredContent: { ...result } } : {}),
  };
}

/** A call that failed: the errno, what happened, and what to do about it. */
export function failureOf(error: FsError): CallToolResult {
  return {
    content: [{ type: 'text', text: `${error.code}: ${error.sentence}` }],
    isError: true,
    _meta: { 'acheron/errno': error.code },
  };
}

/** A call that has not ended yet, for a client that cannot be told of it later. */
export function stillRunning(
  job: string,
  progress: ShownProgress | undefined,
  asker: string,
  asked: Asked | undefined,
): CallToolResult {
  const far = progress === undefined ? '' : ` (${progressText(progress)})`;
  const how = `${asker} with {"job":${JSON.stringify(job)}}`;
  const question =
    asked === undefined
      ? ''
      : ` It asks its user, who can answer in the web console or in answer.json of the job: ${asked.message}`;
  return {
    content: [{ type: 'text', text: `It is still running${far}.${question} Wait for its result: ${how}` }],
    _meta: { 'acheron/job': job },
  };
}

export function progressText({ done, total, message }: ShownProgress): string {
  const far = done === null ? '' : total === null ? `${done} done` : `${done} of ${total}`;
  return [far, message ?? ''].filter((part) => part !== '').join(', ') || 'it has not said how far it is';
}
