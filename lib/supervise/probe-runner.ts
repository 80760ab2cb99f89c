import { FsError, newInvocationId, type ServiceId } from '../core/index.js';
import {
  CallProcess,
  baseEnvironment,
  filesToRun,
  idsForService,
  mustBeTrusted,
  resolveExecutable,
  type Driver,
  type DriverContext,
} from '../drivers/index.js';
import type { ProbeDefinition, RuntimeDefinition } from '../manifest/index.js';
import type { ProbeResult, ProbeStatus } from './probe-report.js';

const MAX_OUTPUT_BYTES = 65_536;
const MAX_MESSAGE = 300;

/** Runs the probe of one service, again and again, never two at once; the first run is soon. */
export class ProbeRunner {
  readonly #serviceId: ServiceId;
  readonly #runtime: RuntimeDefinition;
  readonly #probe: ProbeDefinition;
  readonly #driver: Driver | null;
  readonly #context: DriverContext;
  readonly #report: (result: ProbeResult) => void;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #callOff: () => void;

  constructor(
    service: { serviceId: ServiceId; runtime: RuntimeDefinition; probe: ProbeDefinition },
    driver: Driver | null,
    context: DriverContext,
    report: (result: ProbeResult) => void,
  ) {
    this.#serviceId = service.serviceId;
    this.#runtime = service.runtime;
    this.#probe = service.probe;
    this.#driver = driver;
    this.#context = context;
    this.#report = report;
    this.#callOff = context.clock.after(Math.min(200, this.#probe.intervalMs), () => this.#turn());
  }

  /** Ends a run under way. */
  async stop(): Promise<void> {
    this.#callOff();
    this.#stopping.abort();
    await this.#running;
  }

  #turn(): void {
    this.#running = this.#run()
      .catch((thrown: unknown): ProbeResult => ({
        status: 'critical',
        message: FsError.from(thrown).message,
      }))
      .then((result) => {
        if (this.#stopping.signal.aborted) return;
        this.#callOff = this.#context.clock.after(this.#probe.intervalMs, () => this.#turn());
        this.#report(result);
      });
  }

  async #run(): Promise<ProbeResult> {
    return this.#probe.type === 'exec' ? this.#exec() : this.#invoke();
  }

  async #exec(): Promise<ProbeResult> {
    const [file = '', ...args] = this.#probe.command;
    const runtime = this.#runtime;
    const ids = idsForService(this.#serviceId, runtime.limits.user, this.#context.driverUser);
    const set = 'env' in runtime ? runtime.env : {};
    const env = baseEnvironment(this.#context.nodeId, this.#serviceId, set, ids?.uid ?? null);
    const cwd = runtime.type === 'native_proc' ? runtime.cwd : '/';
    const program = resolveExecutable(file, env['PATH'] ?? '');
    if (this.#context.refusesWritable === true)
      mustBeTrusted(filesToRun(program, args, cwd, env['PATH'] ?? '').map(({ path }) => path));
    const end = await new CallProcess({ file: program, args, cwd, env, ids }, this.#context).run({
      stdin: Buffer.alloc(0),
      timeoutMs: this.#probe.timeoutMs,
      limitMs: this.#probe.timeoutMs,
      killGraceMs: runtime.limits.killGraceMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      signal: this.#stopping.signal,
      onOutput: () => undefined,
    });
    const said = (end.stderrTail.trim() || Buffer.from(end.stdout).toString('utf8').trim()).slice(
      -MAX_MESSAGE,
    );
    if (end.how === 'timeout') return critical(`It did not finish within ${this.#probe.timeoutMs} ms.`);
    if (end.how === 'failed') return critical(`It cannot be started (${end.error?.message ?? 'no reason'}).`);
    const status: ProbeStatus = end.exitCode === 0 ? 'passing' : end.exitCode === 1 ? 'warning' : 'critical';
    return { status, message: said || `exit status ${end.exitCode ?? 'none'}` };
  }

  async #invoke(): Promise<ProbeResult> {
    if (this.#driver === null) return critical('There is no driver to call.');
    const now = this.#context.clock.now();
    const outcome = await this.#driver.invoke({
      id: newInvocationId(now),
      nodeId: this.#context.nodeId,
      serviceId: this.#serviceId,
      payload: Buffer.from(JSON.stringify(this.#probe.payload)),
      caller: { role: 'admin', agentId: null, projectId: null },
      deadlineMs: now + this.#probe.timeoutMs,
      config: {},
      signal: this.#stopping.signal,
      onOutput: () => undefined,
    });
    return outcome.ok
      ? { status: 'passing', message: 'The call succeeded.' }
      : critical(outcome.error.message.slice(0, MAX_MESSAGE));
  }
}

function critical(message: string): ProbeResult {
  return { status: 'critical', message };
}
