import { FsError, type ServiceId } from '../../core/index.js';
import type { ProcessRuntime } from '../../manifest/index.js';
import type { DriverContext } from '../driver-context.js';
import { filesToRun, mustBeTrusted } from '../run-files.js';
import { backoffMs } from '../backoff.js';
import { FaultState } from '../fault-state.js';
import { baseEnvironment, type Environment } from './environment.js';
import { checkWorkingDirectory, fingerprint, resolveExecutable } from './executable.js';
import { idsForService } from './ids.js';
import type { Command } from './command.js';
import { kernelLimits, limitPrefix, type KernelLimit } from './resource-limits.js';
import { loadStarter } from './starter.js';

/** How soon a missing program is looked for again, at first and at most; a call looks at once. */
const RECHECK_FAULTY_MS = 500;
const RECHECK_FAULTY_MAX_MS = 4_000;
/** How often a present one is looked at, half to once and a half of it: the services of a node are not to do it in one moment. */
const RECHECK_MS = 5_000;
/** Each so many looks all is found anew: PATH may lead elsewhere by now, or its user be gone. */
const LOOKS_PER_CHECK = 12;

/**
 * The program of a manifest: found, with its environment, user and limits; `fault` says why it cannot be
 * started, and is looked at again from time to time.
 */
export class Program {
  readonly faults = new FaultState();
  readonly serviceId: ServiceId;
  readonly runtime: ProcessRuntime;
  readonly #context: DriverContext;
  #env: Environment = {};
  #ids: Command['ids'] = null;
  readonly #limits: readonly KernelLimit[];
  #file: string;
  /** A start that failed although the program looked right, and what it looked like. */
  #startFault: { readonly error: FsError; readonly seen: string } | null = null;
  /** What runs: the program, its interpreter, files among its arguments. And what they looked like. */
  #files: readonly string[] = [];
  #seen = '';
  #callOff: (() => void) | undefined;

  constructor(serviceId: ServiceId, runtime: ProcessRuntime, context: DriverContext) {
    this.runtime = runtime;
    this.#context = context;
    this.serviceId = serviceId;
    this.#limits = kernelLimits(runtime.limits);
    this.#file = runtime.executablePath;
    this.check();
    this.#watch();
  }

  /** What every process of it gets in its environment. */
  get env(): Readonly<Environment> {
    return this.#env;
  }

  /** Whom it runs as; null for the node's own user. */
  get ids(): Command['ids'] {
    return this.#ids;
  }

  /** The program's file, for messages and for noticing changes of it. */
  get file(): string {
    return this.#file;
  }

  /** What to start. Call only while there is no fault. */
  command(args: readonly string[], env: Readonly<Record<string, string>>): Command {
    return { file: this.#file, args, cwd: this.runtime.cwd, env, ids: this.#ids, limits: this.#limits };
  }

  /** Why there is nothing to start; null where there is. A program that failed to start may be tried again. */
  get obstacle(): FsError | null {
    const fault = this.faults.current;
    return fault === this.#startFault?.error ? null : fault;
  }

  /** The obstacle, once a program that is not what it was is checked anew. */
  obstacleNow(): FsError | null {
    if (this.obstacle !== null || this.look() !== this.#seen) this.check();
    return this.obstacle;
  }

  /** How a start went: an error is a fault until a start succeeds or the program changes. */
  started(error: FsError | null): void {
    if (error === null && this.#startFault === null) return;
    this.#startFault = error === null ? null : { error, seen: fingerprint(this.file) };
    this.faults.set(error);
  }

  /** Looks for the program and its user; sets or clears the fault. */
  check(): void {
    try {
      this.#ids = idsForService(this.serviceId, this.runtime.limits.user, this.#context.driverUser);
      const { nodeId } = this.#context;
      this.#env = baseEnvironment(nodeId, this.serviceId, this.runtime.env, this.#ids?.uid ?? null);
      const path = this.#env['PATH'] ?? '';
      this.#file = resolveExecutable(this.runtime.executablePath, path);
      checkWorkingDirectory(this.runtime.cwd);
      this.#checkTrust(path);
      if (this.#startFault !== null && this.#startFault.seen !== fingerprint(this.file))
        this.#startFault = null;
      this.faults.set(this.#startFault?.error ?? null);
    } catch (thrown) {
      this.faults.set(FsError.from(thrown));
    }
  }

  #checkTrust(path: string): void {
    const { args, cwd } = this.runtime;
    this.#files = filesToRun(this.file, args, cwd, path).map((file) => file.path);
    this.#seen = this.look();
    const limitPrograms = this.#limitPrograms();
    if (this.#context.refusesWritable === true) mustBeTrusted([...limitPrograms, ...this.#files]);
  }

  /**
   * What puts the limits on it.
   * @throws FsError EIO when there is nothing that can
   */
  #limitPrograms(): readonly string[] {
    try {
      return limitPrefix(this.#limits).slice(0, 1);
    } catch (thrown) {
      if (loadStarter() === null) throw thrown;
      return [];
    }
  }

  /** What the files look like that run; another answer once one of them was changed or replaced. */
  look(): string {
    return this.#files.map(fingerprint).join(' ');
  }

  close(): void {
    this.#callOff?.();
  }

  #watch(looks = 0): void {
    const isFaulty = this.faults.current !== null;
    const delayMs = isFaulty
      ? backoffMs(looks + 1, RECHECK_FAULTY_MS, RECHECK_FAULTY_MAX_MS)
      : RECHECK_MS * (0.5 + Math.random());
    this.#callOff = this.#context.clock.after(delayMs, () => {
      if (isFaulty || looks % LOOKS_PER_CHECK === LOOKS_PER_CHECK - 1 || this.look() !== this.#seen)
        this.check();
      this.#watch(isFaulty === (this.faults.current !== null) ? looks + 1 : 0);
    });
  }
}
