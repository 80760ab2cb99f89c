import { EventEmitter } from 'node:events';
import { joinBytes, type Clock, type Log } from '../../core/index.js';
import type { CancelSignal } from '../cancel.js';
import type { Progress } from '../progress.js';
import { ProgressLines } from '../progress-lines.js';
import { StderrLimit } from '../stderr-limit.js';
import type { Command } from './command.js';
import { ProcessGroup } from './process-group.js';
import type { ProcessLedger } from './process-ledger.js';
import { destroyStdio, isOutputClosed, outputClosed } from './stdio-pipes.js';

/** One run of a program, from the first byte of its input to the end of its group. */
export interface RunOptions {
  readonly stdin: Uint8Array;
  /** What is left of `limitMs`, the time that the manifest gives a call. */
  readonly timeoutMs: number;
  readonly limitMs: number;
  readonly killGraceMs: number;
  /** Of stdout; beyond it the group is killed. Of stderr as much is passed on, the rest is dropped. */
  readonly maxOutputBytes: number;
  readonly signal: CancelSignal;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void;
  /** Takes the lines of stderr that say how far it is. Absent: they are lines like others. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface RunEnd {
  /** Why it ended; `failed` when it could not be started. */
  readonly how: 'exited' | 'timeout' | 'cancelled' | 'too-much-output' | 'failed';
  readonly exitCode: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stdout: Uint8Array;
  /** The last of what it said on stderr. */
  readonly stderrTail: string;
  /** Why it could not be started. */
  readonly error: NodeJS.ErrnoException | null;
}

export interface Surroundings {
  readonly ledger: ProcessLedger | null;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * A descendant outside the group may hold stdout open for ever. So after the end of the group, silence of
 * this length counts as the end of the output, and so does the last of `DRAIN_TURNS` such spans.
 */
const SILENCE_MS = 100;
const DRAIN_TURNS = 20;
const NOTHING = Buffer.alloc(0);

/**
 * A process for one call, started now and run when the call is there: at once, or (`warm`) later. When
 * `run` resolves, its group is gone and its descriptors are closed.
 */
export class CallProcess {
  readonly group: ProcessGroup | null;
  #startError: NodeJS.ErrnoException | null = null;
  readonly #clock: Clock;

  constructor(command: Command, { ledger, clock, log }: Surroundings) {
    this.#clock = clock;
    let group: ProcessGroup | null = null;
    try {
      group = new ProcessGroup(command, ledger, log);
      group.child.on('error', (error: NodeJS.ErrnoException) => (this.#startError ??= error));
      // Before there is a call nobody listens, and a driver that reads no stdin breaks the pipe: no failure.
      group.stdio?.stdin.on('error', () => undefined);
    } catch (thrown) {
      this.#startError = thrown as NodeJS.ErrnoException;
    }
    this.group = group;
  }

  /** It runs and can take a call. */
  get isAlive(): boolean {
    return this.group?.pid !== undefined && this.group.exit === null;
  }

  /** Resolves once it is over; at once where it could not be started. */
  get ended(): Promise<unknown> {
    return this.group?.ended ?? Promise.resolve();
  }

  async run(options: RunOptions): Promise<RunEnd> {
    const { group } = this;
    if (group === null || group.stdio === null) return this.#notStarted();
    const { stdio } = group;
    const { stdin, stdout, stderr: errors } = stdio;
    const { signal, onOutput, onProgress, maxOutputBytes, killGraceMs } = options;
    let how: RunEnd['how'] = 'exited';
    const chunks: Uint8Array[] = [];
    let stdoutBytes = 0;
    let reads = 0;
    const stderr = new StderrLimit(maxOutputBytes, (chunk) => onOutput('stderr', chunk));
    const lines = onProgress && new ProgressLines((chunk) => stderr.take(chunk), onProgress);

    const stop = (why: RunEnd['how']): void => {
      if (how !== 'exited') return;
      if (why === 'too-much-output') group.kill();
      else if (group.exit === null) group.terminate(killGraceMs);
      else return;
      how = why;
    };
    stdout.on('data', (chunk: Buffer) => {
      reads++;
      if (how === 'too-much-output') return;
      stdoutBytes += chunk.length;
      if (stdoutBytes > maxOutputBytes) return stop('too-much-output');
      chunks.push(chunk);
      onOutput('stdout', chunk);
    });
    errors.on('data', (chunk: Buffer) => {
      reads++;
      (lines ?? stderr).take(chunk);
    });
    const onAbort = (): void => stop('cancelled');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    const callOff = this.#clock.after(options.timeoutMs, () => stop('timeout'));
    const closed = outputClosed(stdio);
    stdin.end(options.stdin);

    const exit = await group.ended;
    callOff();
    signal.removeEventListener('abort', onAbort);
    if (!isOutputClosed(stdio)) {
      let turns = 0;
      let before = reads;
      const giveUpWhenSilent = (): void => {
        if (reads !== before && ++turns < DRAIN_TURNS) return void (before = reads);
        stdout.destroy();
        errors.destroy();
      };
      // A timer that is late comes before what waits in the pipes is read: judge after they were looked at.
      const drain = setInterval(() => setImmediate(giveUpWhenSilent), SILENCE_MS);
      await closed;
      clearInterval(drain);
    }
    if (this.#startError !== null) return { ...FAILED, error: this.#startError };
    lines?.end();
    return {
      how,
      exitCode: exit?.code ?? null,
      killedBy: exit?.signal ?? null,
      stdout: joinBytes(chunks),
      stderrTail: stderr.tail,
      error: null,
    };
  }

  /** Ends a process that will not get a call. */
  async abandon(): Promise<void> {
    const { group } = this;
    if (group === null || group.stdio === null) return;
    group.kill();
    await group.ended;
    destroyStdio(group.stdio);
  }

  async #notStarted(): Promise<RunEnd> {
    const child = this.group?.child;
    if (child !== undefined && this.#startError === null)
      await EventEmitter.once(child, 'error').catch(nothing);
    return { ...FAILED, error: this.#startError };
  }
}

const FAILED: RunEnd = {
  how: 'failed',
  exitCode: null,
  killedBy: null,
  stdout: NOTHING,
  stderrTail: '',
  error: null,
};

const nothing = (): void => undefined;
