import type { Agent } from 'undici';
import { FsError } from '../../core/index.js';
import type { HttpRuntime } from '../../manifest/index.js';
import type { Cancel } from '../cancel.js';
import { CallSet } from '../call-set.js';
import { timeLeftMs, type Driver, type Invocation, type Outcome } from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import { FaultState } from '../fault-state.js';
import { driverClosed, errorFromAbort, failure } from '../outcome.js';
import { Secrets } from '../secrets.js';
import { PUBLIC_ALONE } from './addresses.js';
import type { HttpExchange } from './http-exchange.js';

const RECHECK_FAULTY_MS = 500;

/** The connections of a node, shared by its services, and closed with the last that uses them. */
interface SharedPool {
  readonly agent: Promise<Agent>;
  users: number;
}

const pools = new WeakMap<DriverContext, SharedPool>();

/**
 * `http`: a request for each call. What does it is loaded for the first. A secret that is not to be had is the fault of
 * the service, until it is there.
 */
export class HttpDriver implements Driver {
  readonly #runtime: HttpRuntime;
  readonly #context: DriverContext;
  readonly #secrets: Secrets;
  readonly #faults = new FaultState();
  readonly #calls = new CallSet();
  #exchange: Promise<HttpExchange> | null = null;
  #pool: SharedPool | null = null;
  #callOff: (() => void) | undefined;

  constructor(runtime: HttpRuntime, context: DriverContext) {
    this.#runtime = runtime;
    this.#context = context;
    this.#secrets = new Secrets(runtime.env);
    this.#checkSecrets();
  }

  get fault(): FsError | null {
    return this.#faults.current;
  }

  onFault(listener: (fault: FsError | null) => void): () => void {
    return this.#faults.on(listener);
  }

  invoke(call: Invocation): Promise<Outcome> {
    if (this.#calls.isClosed) return Promise.resolve(failure(driverClosed()));
    if (call.signal.aborted) return Promise.resolve(failure(errorFromAbort(call.signal)));
    return this.#calls.track(call.signal, (stop) => this.#run(call, stop));
  }

  /** Connections that are kept are not the service's own: there is nothing to start over but the secrets. */
  restart(): Promise<void> {
    this.#exchange = null;
    this.#checkSecrets();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.#callOff?.();
    await this.#calls.close();
    const pool = this.#pool;
    this.#pool = null;
    this.#exchange = null;
    if (pool === null || --pool.users > 0) return;
    pools.delete(this.#context);
    await (await pool.agent).destroy();
  }

  async #run(call: Invocation, stop: Cancel): Promise<Outcome> {
    const { limits } = this.#runtime;
    const { clock } = this.#context;
    const nowMs = clock.now();
    const leftMs = timeLeftMs(call, limits.timeoutMs, nowMs);
    const callOff = clock.after(leftMs, () => stop.abort(noAnswer(this.#runtime)));
    try {
      const exchange = await (this.#exchange ??= this.#load());
      if (stop.aborted) return failure(errorFromAbort(stop));
      return await exchange.run(call, stop, nowMs + leftMs);
    } catch (thrown) {
      return failure(FsError.from(thrown));
    } finally {
      callOff();
    }
  }

  async #load(): Promise<HttpExchange> {
    const [{ HttpExchange }, agent] = await Promise.all([import('./http-exchange.js'), this.#agent()]);
    return new HttpExchange(this.#runtime, agent, this.#secrets, this.#context.clock);
  }

  #agent(): Promise<Agent> {
    if (this.#pool !== null) return this.#pool.agent;
    let pool = pools.get(this.#context);
    if (pool === undefined) {
      const { addresses = PUBLIC_ALONE, resolver } = this.#context;
      const agent = import('./http-pool.js').then(({ httpPool }) => httpPool(addresses, resolver));
      pools.set(this.#context, (pool = { agent, users: 0 }));
    }
    pool.users++;
    this.#pool = pool;
    return pool.agent;
  }

  #checkSecrets(): void {
    this.#callOff?.();
    let fault: FsError | null = null;
    try {
      for (const source of this.#sources()) this.#secrets.read(source);
    } catch (thrown) {
      fault = FsError.from(thrown);
      this.#callOff = this.#context.clock.after(RECHECK_FAULTY_MS, () => this.#checkSecrets());
    }
    this.#faults.set(fault);
  }

  *#sources() {
    for (const auth of this.#runtime.auth)
      for (const value of Object.values(auth)) if (typeof value === 'object' && value !== null) yield value;
  }
}

function noAnswer({ origin, limits }: HttpRuntime): FsError {
  return new FsError('ETIMEDOUT', `${new URL(origin).host} did not answer within ${limits.timeoutMs} ms.`, {
    hint: 'Raise "timeout_ms" in the runtime of the manifest, or ask for less.',
  });
}
