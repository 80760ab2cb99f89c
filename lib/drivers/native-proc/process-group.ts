import { ChildProcess } from 'node:child_process';
import type { Log } from '../../core/index.js';
import { sealDescriptors } from './containment.js';
import type { Command } from './command.js';
import { TAG_VARIABLE, newTag, type ProcessLedger } from './process-ledger.js';
import { groupEmptied, signalGroup } from './signal-group.js';
import { startProgram, type Leader } from './start-program.js';
import { StdioPipes, destroyStdio, stdioOfChild, type Stdio } from './stdio-pipes.js';
import { strays } from './strays.js';

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long SIGKILL may take to show; only a process stuck in the kernel takes longer. */
const KILL_WAIT_MS = 10_000;

/**
 * A process that leads a group of its own, with stdin, stdout and stderr as pipes, recorded while it
 * runs. It is over when the leader has exited and no process of its group is alive: what is left when
 * the leader exits is killed, at once, or after the grace of a `terminate` that is under way; then also
 * what has left the group.
 */
export class ProcessGroup {
  readonly child: Leader;
  /** Our ends of its input and output, which their reader closes; null where it could not be started. */
  readonly stdio: Stdio | null;
  /** How the leader ended; null while it runs. */
  exit: ProcessExit | null = null;
  /** How the leader ended, once its group is empty too; null where it could not be started. */
  readonly ended: Promise<ProcessExit | null>;
  readonly #log: Log;
  #graceEndsAt: number | null = null;
  #killTimer: NodeJS.Timeout | undefined;

  /** @throws what `spawn` throws at once (E2BIG); other failures are an `error` event of `child`. */
  constructor(command: Command, ledger: ProcessLedger | null, log: Log) {
    this.#log = log;
    const tag = ledger?.newTag() ?? newTag();
    sealDescriptors();
    const pipes = StdioPipes.open(command.ids);
    try {
      const env = { ...command.env, [TAG_VARIABLE]: tag };
      this.child = startProgram({ ...command, env }, pipes);
    } catch (thrown) {
      pipes?.close();
      throw thrown;
    }
    // Without pipes it is Node that started it, with sockets.
    const stdio = pipes?.given(this.child) ?? (this.nodeChild === null ? null : stdioOfChild(this.nodeChild));
    const { pid } = this.child;
    if (pid === undefined || stdio === null) {
      if (stdio !== null) destroyStdio(stdio);
      this.stdio = null;
      this.ended = Promise.resolve(null);
      return;
    }
    this.stdio = stdio;
    const forget = ledger?.record(pid, tag);
    strays.started(tag, pid);
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code: number | null, signal: NodeJS.Signals | null) => {
        const exit = { code, signal };
        this.exit = exit;
        const endStrays = (): void => {
          strays.ended(tag);
          const left = strays.find();
          if (left.length === 0) over();
          else void strays.end(left).then(over);
        };
        const over = (): void => {
          clearTimeout(this.#killTimer);
          forget?.();
          resolve(exit);
        };
        strays.reap();
        if (signalGroup(pid, 0)) void this.#endRest(pid).then(endStrays);
        else endStrays();
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The leader where Node's own spawn started it, as it does a program with which messages are exchanged. */
  get nodeChild(): ChildProcess | null {
    return this.child instanceof ChildProcess ? this.child : null;
  }

  /** SIGTERM to the group, SIGKILL after `graceMs`. Only the first call counts. */
  terminate(graceMs: number): void {
    if (this.#graceEndsAt !== null) return;
    this.#graceEndsAt = performance.now() + graceMs;
    this.#signal('SIGTERM');
    this.#killTimer = setTimeout(() => this.kill(), graceMs);
  }

  /** SIGKILL to the group, at once. */
  kill(): void {
    this.#graceEndsAt = 0;
    this.#signal('SIGKILL');
  }

  /** Between the leader's exit and the end of its group the number cannot be given to another; after it, it can. */
  #signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined && this.exit === null) signalGroup(this.pid, signal);
  }

  async #endRest(pid: number): Promise<void> {
    const graceMs = (this.#graceEndsAt ?? 0) - performance.now();
    if (graceMs > 0 && (await groupEmptied(pid, graceMs))) return;
    signalGroup(pid, 'SIGKILL');
    if (!(await groupEmptied(pid, KILL_WAIT_MS)))
      this.#log.error('A process of a driver does not die of SIGKILL.', { group: pid });
  }
}
