import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import type { Log } from '../../core/index.js';
import type { Libc } from './libc.js';
import { SpawnedProgram } from './spawned-program.js';
import { TAG_VARIABLE } from './process-ledger.js';
import { processFacts, variableOfProcess } from './proc-table.js';

/** How long SIGKILL may take to show. */
const KILL_WAIT_MS = 10_000;

/**
 * The processes that left the group of the driver that started them (`setsid`, a double fork). As this
 * process is their subreaper, each becomes a child of it once its parent has gone, and is distinguished from those
 * that were started here. Its tag says which driver it is of. One that has cleared its environment can be
 * of any driver that was running when it was started, so it is left until the last of them has ended.
 */
export class Strays {
  /** The drivers that run, by tag. */
  readonly #running = new Map<string, number>();
  readonly #runs = new Set<string>();
  readonly #own = new Set<ChildProcess>();
  #foreign: ReadonlySet<number> = new Set();
  #children = -1;
  #libc: Libc | null = null;
  #log: Log | null = null;
  readonly #buffer = Buffer.alloc(4096);

  /** Begins to look, with the children that there are as ours. Does nothing where the kernel cannot list them. */
  watch(libc: Libc, log: Log): void {
    this.#log = log;
    if (this.#libc !== null || !isMainThread) return;
    try {
      this.#children = openSync(`/proc/self/task/${process.pid}/children`, 'r');
    } catch {
      return log.debug('This kernel does not list children: a driver that leaves its group is not found.');
    }
    subscribe('child_process', (message) => {
      const child = (message as { process?: ChildProcess }).process;
      if (child === undefined) return;
      this.#own.add(child);
      child
        .once('exit', () => this.#own.delete(child))
        .once('error', () => child.pid ?? this.#own.delete(child));
    });
    this.#libc = libc;
    this.#foreign = new Set(this.#listed());
  }

  started(tag: string, pid: number): void {
    this.#runs.add(runOf(tag));
    this.#running.set(tag, pid);
  }

  ended(tag: string): void {
    this.#running.delete(tag);
  }

  /** Takes the exits of children that nobody else waits for. Answers with those that live. */
  reap(): number[] {
    const libc = this.#libc;
    if (libc === null) return NONE;
    const listed = this.#listed();
    if (listed.length === 0) return NONE;
    const own = new Set([...this.#own].map(({ pid }) => pid));
    const isLeft = (pid: number): boolean =>
      !own.has(pid) && !SpawnedProgram.isAwaited(pid) && !this.#foreign.has(pid);
    return listed.filter((pid) => isLeft(pid) && libc.exitOf(pid) === 'running');
  }

  /** The living ones that are of no driver that runs. */
  find(): number[] {
    const found = this.reap();
    return found.length === 0 ? found : found.filter((pid) => this.#isStray(pid));
  }

  /** Kills them, and what they leave behind in turn. */
  async end(found: number[]): Promise<void> {
    const endsAt = performance.now() + KILL_WAIT_MS;
    for (let delay = 1; found.length > 0; delay = Math.min(delay * 2, 32)) {
      for (const pid of found) kill(pid);
      await sleep(delay);
      found = this.find();
      if (performance.now() > endsAt && found.length > 0)
        return this.#log?.error('A process that left its driver does not die of SIGKILL.', { pids: found });
    }
  }

  #isStray(pid: number): boolean {
    const tag = variableOfProcess(pid, TAG_VARIABLE);
    if (tag !== undefined && this.#runs.has(runOf(tag))) return !this.#running.has(tag);
    const facts = processFacts(pid);
    if (facts === null) return false;
    return ![...this.#running.values()].some(
      (leader) => Number(processFacts(leader)?.startTime ?? Infinity) <= Number(facts.startTime),
    );
  }

  #listed(): number[] {
    let text = '';
    for (let at = 0; ;) {
      const count = readSync(this.#children, this.#buffer, 0, this.#buffer.length, at);
      if (count === 0) break;
      text += this.#buffer.toString('latin1', 0, count);
      at += count;
    }
    return text === '' ? NONE : text.trimEnd().split(' ').map(Number);
  }
}

const NONE: number[] = [];

/** Those of this process: there is one parent of all that is started here. */
export const strays = new Strays();

function runOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf('-'));
}

/** With its group, which is none of a driver's: a member of that would have been ended with it. */
function kill(pid: number): void {
  const group = processFacts(pid)?.group ?? 0;
  try {
    if (group === pid) process.kill(-group, 'SIGKILL');
    else process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
