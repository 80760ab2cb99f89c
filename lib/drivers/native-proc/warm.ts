import type { FsError, ServiceId } from '../../core/index.js';
import type { ProcessRuntime } from '../../manifest/index.js';
import type { CancelSignal } from '../cancel.js';
import type { Invocation, Outcome } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { hasPlaceholders } from './args.js';
import { CallProcess } from './call-process.js';
import { callFacts } from './environment.js';
import { CALL_FD, CONFIG_FD, HandedFile, configBytes, pathOfDescriptor } from './handed-file.js';
import { OneshotDriver } from './oneshot.js';

interface Waiting {
  readonly process: CallProcess;
  /** Empty until the request begins to arrive: then the facts of the call, one JSON object. */
  readonly callFile: HandedFile;
  /** Empty until then as well. */
  readonly configFile: HandedFile;
  /** What the program's files looked like when it was started. */
  readonly seen: string;
}

/** So long after the last call came, starting processes is thought to be in no call's way. */
const QUIET_MS = 25;

/**
 * `native_proc` in mode `warm`: processes of a one-shot driver are started ahead and wait on stdin. Each
 * serves one call. What they cannot know at their start (the call's facts, the config file) they find in
 * the file that `ACHERON_CALL_FILE` names, once the request arrives. A process is not used when the
 * program, a file among its arguments or the config has changed since it was started; where none waits, a
 * process is started for the call, which has those facts in its environment too.
 *
 * Starting a program takes far more of the machine than serving a call, so a burst of calls comes first:
 * what was taken is replaced once no call comes, and one for one as soon as half of the processes are used.
 */
export class WarmDriver extends OneshotDriver {
  #waiting: Waiting[] = [];
  readonly #leaving = new Set<Promise<void>>();
  readonly #aheadCount: number;
  #config: string | undefined;
  #callOffFill: (() => void) | undefined;

  constructor(serviceId: ServiceId, runtime: ProcessRuntime, context: DriverContext) {
    super(serviceId, runtime, context);
    this.#aheadCount = hasPlaceholders(runtime.args) ? 0 : runtime.warmCount;
    if (this.#aheadCount === 0)
      context.log.warn(
        'No process of a warm driver can be started ahead, as its args depend on the request.',
        {
          service: serviceId,
        },
      );
    this.program.faults.on((fault: FsError | null) => {
      if (fault === null) this.#fill();
    });
    if (context.ahead === undefined) this.#fill();
    else context.ahead.begin(() => this.#fill());
  }

  /** How many processes wait for a call. */
  get waiting(): number {
    return this.#waiting.length;
  }

  override async restart(): Promise<void> {
    await super.restart();
    this.#dismissAll();
    this.#fill();
  }

  override async close(): Promise<void> {
    this.#callOffFill?.();
    await super.close();
    this.#dismissAll();
    await Promise.all(this.#leaving);
  }

  protected override async run(call: Invocation, signal: CancelSignal): Promise<Outcome> {
    const config = JSON.stringify(call.config);
    if (this.#config !== undefined && this.#config !== config) this.#dismissAll();
    this.#config = config;
    const ahead = this.#take();
    this.#fillWhenQuiet();
    try {
      if (ahead === undefined) return await super.run(call, signal);
      handOver(ahead, call);
      return await this.finish(ahead.process, call, signal);
    } finally {
      if (this.#waiting.length <= this.#aheadCount / 2) setImmediate(() => this.#fill(1));
    }
  }

  #take(): Waiting | undefined {
    if (this.#waiting.length === 0) return undefined;
    const seen = this.program.look();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.process.isAlive && next.seen === seen) return next;
      this.#dismiss(next);
    }
    return undefined;
  }

  #fillWhenQuiet(): void {
    this.#callOffFill?.();
    if (!this.calls.isClosed) this.#callOffFill = this.context.clock.after(QUIET_MS, () => this.#fill());
  }

  #fill(atMost = Infinity): void {
    if (this.calls.isClosed || this.fault !== null || this.program.obstacleNow() !== null) return;
    for (let count = 0; count < atMost && this.#waiting.length < this.#aheadCount; count++) {
      const waiting = this.#startAhead();
      if (!waiting.process.isAlive) return this.#dismiss(waiting);
      this.#waiting.push(waiting);
      void waiting.process.ended.then(() => this.#forget(waiting));
    }
  }

  #startAhead(): Waiting {
    const seen = this.program.look();
    const callFile = new HandedFile(this.program.ids);
    const configFile = new HandedFile(this.program.ids);
    const command = this.program.command(this.program.runtime.args, {
      ...this.program.env,
      ACHERON_CALL_FILE: pathOfDescriptor(CALL_FD),
    });
    const process = new CallProcess(
      {
        ...command,
        handed: [
          [CALL_FD, callFile.fd],
          [CONFIG_FD, configFile.fd],
        ],
      },
      this.context,
    );
    return { process, callFile, configFile, seen };
  }

  /** One that ended before it got a call makes room, but is only replaced when a call comes: no loop. */
  #forget(waiting: Waiting): void {
    if (!this.#waiting.includes(waiting)) return;
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
    this.#dismiss(waiting);
  }

  #dismissAll(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (const one of all) this.#dismiss(one);
  }

  #dismiss({ process, callFile, configFile }: Waiting): void {
    callFile.close();
    configFile.close();
    const leaving = process.abandon().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}

/** What a process that waits could not know at its start. */
function handOver({ callFile, configFile }: Waiting, call: Invocation): void {
  callFile.write(`${JSON.stringify(callFacts(call, pathOfDescriptor(CONFIG_FD)))}\n`);
  configFile.write(configBytes(call.config));
  for (const file of [callFile, configFile]) {
    file.seal();
    file.close();
  }
}
