import type { Invocation } from '../contract.js';

/** What a process wrote on stderr for one call may be read so long after its answer. */
const LINGER_MS = 1_000;
const TAIL_BYTES = 2_048;

/**
 * Which calls get the stderr of a process that serves many: nothing in it says which call it is about, so it
 * is passed to the calls under way only while they, and those just answered, are all of one principal.
 * (A frame `{"id","stderr"}` goes to its call whatever else runs.) The end is kept for messages.
 */
export class StderrShare {
  #tail: Buffer = Buffer.alloc(0);
  readonly #left = new Map<string, number>();

  take(chunk: Buffer, calls: readonly Invocation[]): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES);
    const now = performance.now();
    const principals = new Set(calls.map(principalOf));
    for (const [principal, at] of this.#left)
      if (now - at > LINGER_MS) this.#left.delete(principal);
      else principals.add(principal);
    if (principals.size > 1) return;
    for (const call of calls) call.onOutput('stderr', chunk);
  }

  /** A call was answered. */
  left(call: Invocation): void {
    this.#left.set(principalOf(call), performance.now());
  }

  clear(): void {
    this.#tail = Buffer.alloc(0);
    this.#left.clear();
  }

  get tail(): string {
    return this.#tail.toString('utf8');
  }
}

function principalOf({ caller }: Invocation): string {
  return caller.principal ?? JSON.stringify([caller.role, caller.agentId, caller.projectId]);
}
