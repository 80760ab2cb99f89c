import { pipeline, type Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { FsError } from '../../core/index.js';
import type { Progress } from '../progress.js';
import { headerOf, type HttpAnswer } from './http-answer.js';
import { HttpFailure } from './http-failure.js';

export const ACCEPTED_ENCODINGS = 'gzip, deflate, br';
/** Answers of less are there at once. */
const PROGRESS_FROM_BYTES = 1024 * 1024;
/** How many encodings may lie over each other. */
const MAX_ENCODINGS = 3;

/**
 * The body of an answer, decoded. @throws HttpFailure EIO where it is larger than `maxBytes`: no more than that is ever
 * held, whatever a compressed body unpacks to
 */
export async function readBody(
  answer: HttpAnswer,
  maxBytes: number,
  onProgress?: (progress: Progress) => void,
): Promise<Buffer> {
  const length = lengthOf(answer);
  if (length !== null && length > maxBytes && encodingsOf(answer).length === 0) {
    answer.body.destroy();
    throw tooLarge(answer.host, maxBytes);
  }
  if (onProgress !== undefined && length !== null && length >= PROGRESS_FROM_BYTES)
    countBytes(answer.body, length, onProgress);
  const chunks: Buffer[] = [];
  let size = 0;
  const body = decoded(answer);
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      answer.body.destroy();
      throw tooLarge(answer.host, maxBytes);
    }
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}

/** The first bytes of a body, for a message; what follows is thrown away. */
export async function startOfBody(answer: HttpAnswer, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of decoded(answer) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= maxBytes) break;
    }
  } catch {
    // The status is what counts: a body that cannot be read says nothing more.
  }
  answer.body.destroy();
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

/** The body as a stream of what it holds. @throws HttpFailure EIO for an encoding that was not asked for */
export function decoded(answer: HttpAnswer): Readable {
  const encodings = encodingsOf(answer);
  if (encodings.length === 0) return answer.body;
  const decoders = encodings.reverse().map((encoding) => DECODERS.get(encoding)?.());
  if (decoders.length > MAX_ENCODINGS || decoders.some((decoder) => decoder === undefined)) {
    answer.body.destroy();
    throw new HttpFailure(
      new FsError(
        'EIO',
        `${answer.host} answered in an encoding that was not asked for (${encodings.join(', ')}).`,
        {
          hint: 'Tell who runs it.',
        },
      ),
    );
  }
  const chain = decoders as Transform[];
  // A failure is an error of the last stream, which is read.
  return pipeline([answer.body, ...chain], () => undefined) as unknown as Readable;
}

const DECODERS = new Map<string, () => Transform>([
  ['gzip', () => createGunzip()],
  ['x-gzip', () => createGunzip()],
  ['deflate', () => createInflate()],
  ['br', () => createBrotliDecompress()],
]);

function encodingsOf({ headers }: HttpAnswer): string[] {
  const text = headerOf(headers, 'content-encoding') ?? '';
  return text
    .toLowerCase()
    .split(',')
    .map((encoding) => encoding.trim())
    .filter((encoding) => encoding !== '' && encoding !== 'identity');
}

function lengthOf({ headers }: HttpAnswer): number | null {
  const text = headerOf(headers, 'content-length');
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

function countBytes(body: Readable, total: number, onProgress: (progress: Progress) => void): void {
  let done = 0;
  let told = 0;
  body.on('data', (chunk: Buffer) => {
    done += chunk.length;
    // A hundred steps are enough for every bar.
    if (done - told < total / 100 && done < total) return;
    told = done;
    onProgress({ done, total, message: null });
  });
  // The reader decides when it flows.
  body.pause();
}

export function tooLarge(host: string, maxBytes: number): HttpFailure {
  return new HttpFailure(
    new FsError('EIO', `The answer of ${host} is larger than ${maxBytes} bytes, and was not taken.`, {
      hint: 'Raise "max_output_bytes" in the runtime of the manifest, or ask for less.',
    }),
  );
}
