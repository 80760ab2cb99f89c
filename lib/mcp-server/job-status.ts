import { FsError, type JsonObject } from '../core/index.js';
import type { Tool } from '@modelcontextprotocol/server';

/** The tool that asks after a call that took longer than the client waited. */
export const JOB_STATUS: Tool = {
  name: 'job_status',
  description: 'The result of a call that was still running; waits for it, or cancels it.',
  inputSchema: {
    type: 'object',
    properties: {
      job: { type: 'string', description: 'As the call named it.' },
      wait_seconds: { type: 'number', minimum: 0, maximum: 3600 },
      cancel: { type: 'boolean' },
    },
    required: ['job'],
  },
};

export interface JobRequest {
  readonly name: string;
  readonly waitMs: number;
  readonly cancel: boolean;
}

/** @throws FsError EINVAL */
export function jobRequestFrom(args: JsonObject, patienceMs: number): JobRequest {
  const { job, wait_seconds: wait, cancel = false } = args;
  if (typeof job !== 'string')
    throw new FsError('EINVAL', 'No job is named.', { hint: 'For instance: {"job":"local/echo/…"}' });
  if (wait !== undefined && !(typeof wait === 'number' && wait >= 0 && wait <= 3600))
    throw new FsError('EINVAL', 'wait_seconds must be a number from 0 to 3600.');
  return { name: job, waitMs: wait === undefined ? patienceMs : wait * 1000, cancel: cancel === true };
}
