import type { Surroundings } from './call-process.js';
import type { Command } from './command.js';
import { ProcessGroup, type ProcessExit } from './process-group.js';
import { destroyStdio, isOutputClosed, outputClosed, type Stdio } from './stdio-pipes.js';

export interface FrameEvents {
  /** One line of stdout, without its end. */
  onLine(line: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** A line grew beyond the limit; nothing more is read. */
  onOverflow(): void;
  /** It is over: its group is gone and all it wrote was heard. `error` when it could not be started. */
  onEnd(exit: ProcessExit | null, error: NodeJS.ErrnoException | null): void;
}

const NEWLINE = 10;
/** How long a descendant that holds the pipes is heard after the end of the group. */
const DRAIN_MS = 100;

/** A long-lived process that speaks in lines: what it prints comes as `onLine`, whole. */
export class FrameProcess {
  readonly #group: ProcessGroup | null = null;
  readonly #maxLineBytes: number;
  readonly #events: FrameEvents;
  #partial: Buffer[] = [];
  #partialBytes = 0;
  #isDeaf = false;
  #startError: NodeJS.ErrnoException | null = null;

  constructor(command: Command, maxLineBytes: number, events: FrameEvents, around: Surroundings) {
    this.#maxLineBytes = maxLineBytes;
    this.#events = events;
    try {
      const group = new ProcessGroup(command, around.ledger, around.log);
      this.#group = group;
      const { child } = group;
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (this.#startError !== null) return;
        this.#startError = error;
        if (group.pid === undefined) events.onEnd(null, error);
      });
      const { stdio } = group;
      if (stdio === null) return;
      const { stdin, stdout, stderr } = stdio;
      stdin.on('error', () => undefined);
      stdout.on('data', (chunk: Buffer) => this.#hear(chunk));
      stderr.on('data', (chunk: Buffer) => events.onStderr(chunk));
      void group.ended.then((exit) => this.#drain(stdio, exit));
    } catch (thrown) {
      queueMicrotask(() => events.onEnd(null, thrown as NodeJS.ErrnoException));
    }
  }

  get pid(): number | undefined {
    return this.#group?.pid;
  }

  send(line: string): void {
    const stdin = this.#group?.stdio?.stdin;
    if (stdin?.writable === true) stdin.write(`${line}\n`);
  }

  /** End of file on its stdin; should it not heed that within half of the grace, `terminate`. */
  stop(graceMs: number): void {
    this.#group?.stdio?.stdin.end();
    const timer = setTimeout(() => this.terminate(graceMs / 2), graceMs / 2);
    void this.#group?.ended.then(() => clearTimeout(timer));
  }

  /** SIGTERM, and SIGKILL after the grace. */
  terminate(graceMs: number): void {
    this.#group?.terminate(graceMs);
  }

  kill(): void {
    this.#group?.kill();
  }

  #hear(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1 && !this.#isDeaf; end = chunk.indexOf(NEWLINE, start)) {
      const rest = chunk.subarray(start, end);
      start = end + 1;
      const line = this.#partial.length === 0 ? rest : Buffer.concat([...this.#partial, rest]);
      this.#partial = [];
      this.#partialBytes = 0;
      if (line.length > this.#maxLineBytes) return this.#overflow();
      if (line.length > 0) this.#events.onLine(line);
    }
    if (this.#isDeaf || start === chunk.length) return;
    this.#partial.push(chunk.subarray(start));
    this.#partialBytes += chunk.length - start;
    if (this.#partialBytes > this.#maxLineBytes) this.#overflow();
  }

  #overflow(): void {
    this.#isDeaf = true;
    this.#partial = [];
    this.#events.onOverflow();
  }

  /** What it wrote before its end is still in the pipes; a descendant that holds them is not waited for. */
  async #drain(stdio: Stdio, exit: ProcessExit | null): Promise<void> {
    if (!isOutputClosed(stdio)) {
      const timer = setTimeout(() => destroyStdio(stdio), DRAIN_MS);
      await outputClosed(stdio);
      clearTimeout(timer);
    }
    this.#events.onEnd(this.#startError === null ? exit : null, this.#startError);
  }
}
