import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { Log } from '../../core/index.js';
import { privilegePrefix, sealDescriptors } from './containment.js';
import type { Handed } from './handed-file.js';
import type { Ids } from './ids.js';
import { TAG_VARIABLE, newTag, type ProcessLedger } from './process-ledger.js';
import { groupEmptied, signalGroup } from './signal-group.js';
import { StdioPipes, destroyStdio, type Stdio } from './stdio-pipes.js';
import { strays } from './strays.js';

/** A program to start: no shell sees any of it. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly ids: Ids | null;
  /** Descriptors that the program gets besides its input and output. */
  readonly handed?: readonly Handed[];
  /** It is a Node program, with which messages can be exchanged. */
  readonly hasMessages?: boolean;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A number that is not named stays closed: from 3 on that is what `ignore` means. */
function stdioWith({ handed = [], hasMessages = false }: Command, pipes: StdioPipes | null): StdioOptions {
  const stdio: ('pipe' | 'ignore' | 'ipc' | number)[] = [...(pipes?.theirs ?? SOCKETS)];
  if (hasMessages) stdio.push('ipc');
  for (const [number, fd] of handed) {
    while (stdio.length < number) stdio.push('ignore');
    stdio[number] = fd;
  }
  return stdio;
}

/** What there is where no pipes can be had. */
const SOCKETS = ['pipe', 'pipe', 'pipe'] as const;

/** How long SIGKILL may take to show; only a process stuck in the kernel takes longer. */
const KILL_PATIENCE_MS = 10_000;

/**
 * A process that leads a group of its own, with stdin, stdout and stderr as pipes, recorded while it
 * runs. It is over when the leader has exited and no process of its group is alive: what is left when
 * the leader exits is killed, at once, or after the grace of a `terminate` that is under way; then also
 * what has left the group.
 */
export class ProcessGroup {
  readonly child: ChildProcess;
  /** Our ends of its input and output. Their reader closes them. */
  readonly stdio: Stdio;
  /** How the leader ended; null while it runs. */
  exit: ProcessExit | null = null;
  /** Resolves once the leader has exited and its group is empty; also when it could not be started. */
  readonly ended: Promise<void>;
  readonly #log: Log;
  #graceEndsAt: number | null = null;
  #killTimer: NodeJS.Timeout | undefined;

  // Node's own `spawn`, and not execa as for other programs: each call starts one, and its pipes are read here.
  /** @throws what `spawn` throws at once (E2BIG); other failures are an `error` event of `child`. */
  constructor(command: Command, ledger: ProcessLedger | null, log: Log) {
    this.#log = log;
    const tag = ledger?.newTag() ?? newTag();
    const [file, ...args] = [...privilegePrefix(), command.file, ...command.args];
    sealDescriptors();
    const pipes = StdioPipes.open(command.ids);
    try {
      this.child = spawn(file!, args, {
        cwd: command.cwd,
        env: { ...command.env, [TAG_VARIABLE]: tag },
        detached: true,
        stdio: stdioWith(command, pipes),
        ...(command.hasMessages === true ? { serialization: 'advanced' as const } : {}),
        ...(command.ids ?? {}),
      });
    } catch (thrown) {
      pipes?.close();
      throw thrown;
    }
    this.stdio = pipes?.given(this.child) ?? this.child;
    const { pid } = this.child;
    if (pid === undefined) {
      destroyStdio(this.stdio);
      this.ended = Promise.resolve();
      return;
    }
    const forget = ledger?.record(pid, tag);
    strays.started(tag, pid);
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.exit = { code, signal };
        const endStrays = (): void => {
          strays.ended(tag);
          const left = strays.find();
          if (left.length === 0) over();
          else void strays.end(left).then(over);
        };
        const over = (): void => {
          clearTimeout(this.#killTimer);
          forget?.();
          resolve();
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

  /** SIGTERM to the group, SIGKILL after `graceMs`. Only the first call counts. */
  terminate(graceMs: number): void {
    if (this.pid === undefined || this.#graceEndsAt !== null) return;
    this.#graceEndsAt = performance.now() + graceMs;
    this.#signal('SIGTERM');
    this.#killTimer = setTimeout(() => this.kill(), graceMs);
  }

  /** SIGKILL to the group, at once. */
  kill(): void {
    if (this.pid === undefined) return;
    this.#graceEndsAt = 0;
    this.#signal('SIGKILL');
  }

  /** Between the leader's exit and the end of its group the number cannot be given to another; after it, it can. */
  #signal(signal: NodeJS.Signals): void {
    if (this.exit === null) signalGroup(this.pid!, signal);
  }

  async #endRest(pid: number): Promise<void> {
    const graceMs = (this.#graceEndsAt ?? 0) - performance.now();
    if (graceMs > 0 && (await groupEmptied(pid, graceMs))) return;
    signalGroup(pid, 'SIGKILL');
    if (!(await groupEmptied(pid, KILL_PATIENCE_MS)))
      this.#log.error('A process of a driver does not die of SIGKILL.', { group: pid });
  }
}
