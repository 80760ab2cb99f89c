import type { Invocation } from './contract.js';

const TAIL_BYTES = 2_048;

/** Passes stderr on up to a limit, says once that there was more, and keeps the end for messages. */
export class StderrLimit {
  readonly #max: number;
  readonly #pass: (chunk: Uint8Array) => void;
  #passed = 0;
  #tail: Buffer = Buffer.alloc(0);

  constructor(max: number, pass: (chunk: Uint8Array) => void) {
    this.#max = max;
    this.#pass = pass;
  }

  take(chunk: Uint8Array): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
    if (this.#passed > this.#max) return;
    const room = this.#max - this.#passed;
    this.#passed += chunk.length;
    if (chunk.length <= room) return this.#pass(chunk);
    if (room > 0) this.#pass(chunk.subarray(0, room));
    this.#pass(Buffer.from(`\nacheron: more than ${this.#max} bytes; the rest is not kept.\n`));
  }

  get tail(): string {
    return this.#tail.toString('utf8');
  }
}

/** The call, hearing no more of stderr than the limit. */
export function withStderrLimit(call: Invocation, max: number): Invocation {
  const limit = new StderrLimit(max, (chunk) => call.onOutput('stderr', chunk));
  const onOutput: Invocation['onOutput'] = (stream, chunk) =>
    stream === 'stderr' ? limit.take(chunk) : call.onOutput(stream, chunk);
  const { id, nodeId, serviceId, payload, caller, deadlineMs, config, signal, onProgress, onQuestion } = call;
  return {
    id,
    nodeId,
    serviceId,
    payload,
    caller,
    deadlineMs,
    config,
    signal,
    onOutput,
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onQuestion === undefined ? {} : { onQuestion }),
  };
}
