import { closeSync, readSync, writeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { Handed } from './handed-file.js';
import type { Ids } from './ids.js';
import { INSTRUCTIONS, REPORT_BYTES, type Instructions } from './instructions.js';
import { loadLibc } from './libc.js';
import type { SpawnRequest } from './posix-spawn.js';
import type { KernelLimit } from './resource-limits.js';
import { SpawnedProgram } from './spawned-program.js';
import { starterImage, type SystemCall } from './starter-image.js';

/** What a program is held to from its first instruction on. */
export interface Restrictions {
  /** Whom it runs as, with no other groups; null: as this process. */
  readonly ids: Ids | null;
  readonly limits: readonly KernelLimit[];
  readonly deniesNewPrivileges: boolean;
}

interface Step extends SystemCall {
  /** What a message says that could not be done. */
  readonly what: string;
}

/** A starter, and what it does. */
interface Kind {
  readonly steps: readonly Step[];
  readonly image: Buffer;
}

/** More than a node has users of services. */
const MOST_KINDS = 1024;
/** Descriptors of the starter alone, beside those that drivers are given. */
const FAILURES_FD = 22;
const IMAGE_FD = 23;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const PR_SET_NO_NEW_PRIVS = 38;

/**
 * Starts programs as another user or within limits, which posix_spawn knows nothing of: by way of a program of a few
 * hundred bytes that makes those calls of the kernel and then becomes the one that was asked for. It has the same pid,
 * costs 0.1 ms, and nothing of it is left.
 */
export class Starter {
  readonly #instructions: Instructions;
  readonly #failures: readonly [read: number, write: number];
  /** What those said that did not become what they should, until their exits come. */
  readonly #reports = new Map<number, { errno: number; step: number }>();
  /** By what they do: there is one for each user and set of limits, and making it takes longer than starting it. */
  readonly #kinds = new Map<string, Kind>();

  private constructor(instructions: Instructions, failures: readonly [number, number]) {
    this.#instructions = instructions;
    this.#failures = failures;
  }

  /** Null where there is none for this processor or system. */
  static open(): Starter | null {
    const instructions = INSTRUCTIONS[process.arch];
    if (process.platform !== 'linux' || instructions === undefined) return null;
    const failures = loadLibc()?.pipe({ nonblocking: true }) ?? null;
    if (failures === null) return null;
    const starter = new Starter(instructions, failures);
    if (starter.#isAllowed()) return starter;
    for (const fd of failures) closeSync(fd);
    return null;
  }

  /** Null where it could not be started: Node's own `spawn` does it then, or says why not. */
  start(request: SpawnRequest, restrictions: Restrictions): SpawnedProgram | null {
    const { steps, image: bytes } = this.#kindOf(restrictions);
    const image = fileWith(bytes);
    if (image === null) return null;
    const words: Handed[] = [[FAILURES_FD, this.#failures[1]], [IMAGE_FD, image]]; // prettier-ignore
    try {
      return SpawnedProgram.start(
        {
          ...request,
          path: `/proc/self/fd/${IMAGE_FD}`,
          argv: [request.path, ...request.argv],
          descriptors: [...request.descriptors, ...words],
        },
        (pid) => this.#failureOf(pid, request.path, steps),
      );
    } finally {
      closeSync(image);
    }
  }

  /** Some systems run no program that is in no folder. One that cannot become anything shows it. */
  #isAllowed(): boolean {
    const root: SpawnRequest = { path: '/', argv: ['/'], env: {}, cwd: '/', descriptors: [] };
    const tried = this.start(root, { ids: null, limits: [], deniesNewPrivileges: false });
    tried?.once('error', () => undefined);
    return tried !== null;
  }

  #kindOf(restrictions: Restrictions): Kind {
    const { ids, limits, deniesNewPrivileges } = restrictions;
    const numbers = limits.flatMap(({ resource, soft, hard }) => [resource, soft, hard]);
    const name = [ids?.uid, ids?.gid, deniesNewPrivileges, ...numbers].join();
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      const steps = stepsFor(restrictions);
      kind = { steps, image: starterImage(this.#instructions, steps, FAILURES_FD) };
      if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
      this.#kinds.set(name, kind);
    }
    return kind;
  }

  #failureOf(pid: number, path: string, steps: readonly Step[]): NodeJS.ErrnoException | null {
    this.#readReports();
    const report = this.#reports.get(pid);
    if (report === undefined) return null;
    this.#reports.delete(pid);
    const { errno } = report;
    const code = getSystemErrorName(errno);
    const what = steps[report.step]?.what;
    const message = `spawn ${path} ${code}${what === undefined ? '' : ` (${what})`}`;
    return Object.assign(new Error(message), { errno, code, syscall: `spawn ${path}`, path });
  }

  #readReports(): void {
    const report = Buffer.alloc(REPORT_BYTES);
    for (;;) {
      try {
        readSync(this.#failures[0], report);
      } catch {
        return; // EAGAIN: there is no further one.
      }
      const [pid, errno, step] = [0, 8, 16].map((at) => Number(report.readBigInt64LE(at)));
      if (pid !== undefined && errno !== undefined && step !== undefined)
        this.#reports.set(pid, { errno, step });
    }
  }
}

/** Without a name in any folder; null where there is no room for it. */
function fileWith(bytes: Uint8Array): number | null {
  const fd = loadLibc()?.memfd('acheron-starter', 'executed') ?? -1;
  if (fd === -1) return null;
  if (writeSync(fd, bytes) === bytes.length) return fd;
  closeSync(fd);
  return null;
}

function stepsFor({ ids, limits, deniesNewPrivileges }: Restrictions): Step[] {
  const steps: Step[] = [FAILURES_FD, IMAGE_FD].map((fd) => ({
    name: 'fcntl',
    args: [fd, F_SETFD, FD_CLOEXEC],
    what: 'close-on-exec',
  }));
  if (deniesNewPrivileges)
    steps.push({ name: 'prctl', args: [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0], what: 'no new privileges' });
  if (ids !== null) {
    const { uid, gid } = ids;
    steps.push(
      { name: 'setgroups', args: [0, 0], what: 'no other groups' },
      { name: 'setresgid', args: [gid, gid, gid], what: `group ${gid}` },
      { name: 'setresuid', args: [uid, uid, uid], what: `user ${uid}` },
    );
  }
  // As that user, who can lower limits and not raise them.
  for (const { on, resource, soft, hard } of limits) {
    const pair = new BigUint64Array([BigInt(soft), BigInt(hard)]);
    steps.push({
      name: 'prlimit64',
      args: [0, resource, new Uint8Array(pair.buffer), 0],
      what: `the limit on ${on}`,
    });
  }
  return steps;
}

let loaded: Starter | null | undefined;

/** The one of this process; null where there is none to be had, or this is not the main thread. */
export function loadStarter(): Starter | null {
  if (loaded === undefined) loaded = Starter.open();
  return loaded;
}
