import { FsError, isJsonObject, type JsonObject } from '../../core/index.js';
import type { McpRuntime } from '../../manifest/index.js';
import { CallSet } from '../call-set.js';
import type { Cancel } from '../cancel.js';
import {
  payloadText,
  timeLeftMs,
  type Driver,
  type DriverFolder,
  type Invocation,
  type Outcome,
} from '../contract.js';
import type { DriverContext } from '../driver-context.js';
import type { FaultState } from '../fault-state.js';
import { driverClosed, errorFromAbort, failure, timedOut } from '../outcome.js';
import { withStderrLimit } from '../stderr-limit.js';
import { McpServer } from './mcp-server.js';
import type { McpSession } from './session.js';

/** One thing that an MCP server offers (a tool, a prompt, a template), or the server itself, which takes no calls. */
export class McpDriver implements Driver {
  readonly #runtime: McpRuntime;
  readonly #context: DriverContext;
  readonly #server: McpServer;
  readonly #calls = new CallSet();
  #closed: Promise<void> | null = null;

  constructor(runtime: McpRuntime, context: DriverContext) {
    this.#runtime = runtime;
    this.#context = context;
    this.#server = McpServer.acquire(runtime.server, context);
  }

  get server(): McpServer {
    return this.#server;
  }

  /** The resources are the server's, and in its directory. */
  get folder(): DriverFolder | undefined {
    return this.#runtime.offer === null ? this.#server.resources : undefined;
  }

  get fault(): FsError | null {
    return this.#faults.current;
  }

  onFault(listener: (fault: FsError | null) => void): () => void {
    return this.#faults.on(listener);
  }

  get #faults(): FaultState {
    return this.#runtime.offer === null ? this.#server.ownFaults : this.#server.faults;
  }

  invoke(call: Invocation): Promise<Outcome> {
    if (this.#calls.isClosed) return Promise.resolve(failure(driverClosed()));
    if (call.signal.aborted) return Promise.resolve(failure(errorFromAbort(call.signal)));
    // What the call does may change what is in the resources.
    return this.#calls
      .track(call.signal, (stop) => this.#run(call, stop))
      .finally(() => this.#server.resources.forget());
  }

  async restart(): Promise<void> {
    if (this.#closed === null) await this.#server.restart();
  }

  close(): Promise<void> {
    this.#closed ??= this.#calls.close().then(() => this.#server.release());
    return this.#closed;
  }

  async #run(given: Invocation, stop: Cancel): Promise<Outcome> {
    const { offer, limits } = this.#runtime;
    if (offer === null) return failure(notCallable());
    const controller = new AbortController();
    let stopBy: (why: FsError) => void = () => undefined;
    const stopped = new Promise<FsError>((resolve) => {
      stopBy = (why) => {
        controller.abort(why);
        resolve(why);
      };
    });
    const onStop = (): void => stopBy(errorFromAbort(stop));
    stop.addEventListener('abort', onStop);
    const callOff = this.#context.clock.after(
      timeLeftMs(given, limits.timeoutMs, this.#context.clock.now()),
      () => stopBy(timedOut(limits.timeoutMs)),
    );
    const call = withStderrLimit(given, limits.maxOutputBytes);
    let session: McpSession | null = null;
    try {
      const found = await Promise.race([this.#server.sessionOf(given.caller), stopped]);
      if (FsError.is(found)) return failure(found);
      session = found;
      const request = { ...offer, args: argumentsOf(call) };
      const end = await Promise.race([session.run(request, call, controller.signal), stopped]);
      if (!FsError.is(end)) return end;
    } catch (thrown) {
      if (!controller.signal.aborted) return failure(FsError.from(thrown));
    } finally {
      callOff();
      stop.removeEventListener('abort', onStop);
    }
    await session?.mustAnswer();
    return failure(controller.signal.reason as FsError);
  }
}

function argumentsOf(call: Invocation): JsonObject {
  const args: unknown = JSON.parse(payloadText(call));
  return isJsonObject(args) ? args : {};
}

function notCallable(): FsError {
  return new FsError('EIO', 'An MCP server itself cannot be called.', {
    hint: 'Call one of the services that it offers.',
  });
}
