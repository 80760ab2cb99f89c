import { Emitter, FsError, type Unsubscribe } from '../../core/index.js';
import {
  CONTROL_EVENTS,
  CONTROL_PROTOCOL,
  faultFromFrame,
  payloadOf,
  type ControlEnvelope,
  type ControlName,
  type ControlPush,
  type ControlReply,
  type ControlRequest,
} from '../../protocol/index.js';
import {
  connectWs,
  QUICK_KEEPALIVE,
  Reconnector,
  ServerAddresses,
  type ConnectionState,
  type Keepalive,
  type Transport,
} from '../../transport/index.js';
import { ControlExchange, faultOf } from './control-exchange.js';
import { notReached } from './not-reached.js';
import { reconnectDelays } from './reconnect-delays.js';
import { Subscription, type SubscriptionOptions } from './subscription.js';

interface Reached {
  readonly exchange: ControlExchange;
  readonly url: string;
}

/** A connection that was welcomed, and what it was answered. */
interface Welcomed extends Reached {
  readonly welcome: Welcome;
}

export interface ControlClientOptions {
  /** `ws://` or `wss://`, without a path; several, with commas between, of which each does. */
  readonly url: string;
  /** What is known of these addresses, where other connections share it. */
  readonly addresses?: ServerAddresses;
  /** Where it may change, a function, which is asked for each connection. */
  readonly token?: string | (() => string | undefined) | undefined;
  /** Certificates to trust, PEM. */
  readonly ca?: string | undefined;
  /** What `control.connect` says; asked anew for each connection. */
  readonly connect?: () => ControlRequest<'connect'>;
  /** The project to attach to, after each connect. */
  readonly project?: { readonly id: string; readonly token: string | null } | undefined;
  /** True for a failure to connect after which there is no point in trying again. */
  readonly isFinal?: (error: FsError) => boolean;
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly keepalive?: Keepalive;
  readonly timeoutMs?: number;
}

export type Welcome = ControlReply<'connect'>;
export type SessionChange = ControlPush<'session_changed'>;
export type Superseded = ControlPush<'node_superseded'>;

/** Requests whose replies come in pages. */
type PagedName = {
  [Name in ControlName]: ControlReply<Name> extends { next?: string | undefined } ? Name : never;
}[ControlName];

/** A node that comes with thousands of others waits for its turn; whether the other side is alive at all, pings show sooner. */
const NODE_PATIENCE_MS = 300_000;
/** It waits so long to be let in at all, which no ping can shorten. */
export const NODE_ENTRY_MS = 30_000;

/** What was asked over a connection that is left may be answered for so long. */
const LEAVE_MS = 60_000;
/** Where the server is silent. */
const LEAVE_SILENT_MS = 3_000;
/** Those that are told to go elsewhere do so within this time, each at a moment of its own. */
const MOVE_WITHIN_MS = 300;

/** The largest frame that a server may send us: a node's whole catalog. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/**
 * A connection to a control plane that comes back by itself, in the same session. Watches go on where
 * they were; requests in flight when it is lost fail with EHOSTDOWN, for the caller to judge.
 */
export class ControlClient {
  /** Each time the handshake is done. */
  readonly connected = new Emitter<Welcome>();
  readonly sessionChanged = new Emitter<SessionChange>();
  readonly superseded = new Emitter<Superseded>();
  readonly addresses: ServerAddresses;
  readonly #options: ControlClientOptions;
  readonly #reconnector: Reconnector;
  readonly #subscriptions = new Set<Subscription>();
  #open: Welcomed | undefined;
  readonly #exchanges = new WeakMap<Transport, ControlExchange>();
  /** Connections in whose place another came, until what was asked over them is answered. */
  readonly #left = new Set<ControlExchange>();
  #isSilent = false;
  /** About to be announced as open. */
  #arriving: Welcomed | undefined;
  /** The last there was, which outlives its connection. */
  #welcome: Welcome | undefined;

  constructor(options: ControlClientOptions) {
    this.#options = options;
    this.addresses = options.addresses ?? ServerAddresses.from(options.url);
    this.#reconnector = new Reconnector({
      connect: (signal) => this.#connect(signal),
      hasOthers: this.addresses.hasOthers,
      leave: (before) => this.#leave(before),
      ...reconnectDelays(options),
      ...(options.isFinal === undefined ? {} : { isFinal: options.isFinal }),
    });
    this.#reconnector.states.on((state) => {
      if (state.state === 'backing-off' && this.#open !== undefined)
        this.addresses.failed(this.#open.url, state.error.message);
      this.#open = state.state === 'open' ? this.#arriving : undefined;
      if (this.#open !== undefined) this.#announce(this.#open);
    });
  }

  get state(): ConnectionState {
    return this.#reconnector.state;
  }

  get states(): Emitter<ConnectionState> {
    return this.#reconnector.states;
  }

  /** The address that is in use, or was last; before the first connection one of those that there are. */
  get url(): string {
    return this.addresses.current ?? this.addresses.views[0]?.url ?? this.#options.url;
  }

  /** What the server said of us last; undefined before the first connection. */
  get welcome(): Welcome | undefined {
    return this.#welcome;
  }

  /** Begins to connect, and never gives up unless `isFinal` says so. */
  start(): this {
    this.#reconnector.start();
    return this;
  }

  retryNow(): void {
    this.#reconnector.retryNow();
  }

  /** Answers once connected. @throws FsError when it was closed, or is not connected within `timeoutMs`. */
  async ready(timeoutMs = 10_000): Promise<Welcome> {
    return (await this.#ready(timeoutMs)).welcome;
  }

  /**
   * Sends a request, once connected.
   * @throws FsError as the server answered it (`faultOf`), EHOSTDOWN, ETIMEDOUT
   */
  async request<Name extends ControlName>(
    name: Name,
    payload: ControlRequest<Name>,
    timeoutMs?: number,
  ): Promise<ControlReply<Name>> {
    const { exchange } = this.#open ?? (await this.#ready(timeoutMs ?? 10_000));
    return exchange.request(name, payload, timeoutMs);
  }

  /** A list with all its pages: what was there when each was asked for. @throws FsError as `request` does */
  async requestAll<Name extends PagedName>(
    name: Name,
    payload: ControlRequest<Name>,
  ): Promise<ControlReply<Name>> {
    const whole = await this.request(name, payload);
    for (let { next } = whole; next !== undefined;) {
      const more: ControlReply<Name> = await this.request(name, { ...payload, after: next });
      for (const [key, list] of Object.entries(more))
        if (Array.isArray(list)) (whole[key as keyof typeof whole] as unknown[]).push(...(list as unknown[]));
      ({ next } = more);
    }
    return whole;
  }

  /** Watches the catalog, across reconnects, until it is closed. */
  watch(options: SubscriptionOptions): Subscription {
    const subscription = new Subscription(options, (closed) => this.#subscriptions.delete(closed));
    this.#subscriptions.add(subscription);
    if (this.#open !== undefined) subscription.begin(this.#open.exchange);
    return subscription;
  }

  close(error: FsError | null = null): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#reconnector.close(error);
    for (const { transport } of this.#left) transport.close();
    this.#open = undefined;
  }

  #ready(timeoutMs: number): Promise<Welcomed> {
    if (this.#open !== undefined) return Promise.resolve(this.#open);
    return new Promise((resolve, reject) => {
      const stop: Unsubscribe[] = [];
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        for (const unsubscribe of stop) unsubscribe();
        act();
      };
      const timer = setTimeout(() => settle(() => reject(this.#downError())), timeoutMs);
      const onConnected = (): void => {
        const open = this.#open;
        if (open !== undefined) settle(() => resolve(open));
      };
      stop.push(this.connected.on(onConnected));
      const look = (state: ConnectionState): void => {
        if (state.state === 'closed') settle(() => reject(state.error ?? this.#downError()));
      };
      stop.push(this.#reconnector.states.on(look));
      look(this.#reconnector.state);
    });
  }

  #downError(): FsError {
    const urls = this.addresses.views.map(({ url }) => url);
    return notReached(this.#reconnector.state, urls);
  }

  async #connect(signal: AbortSignal): Promise<Transport> {
    const payload = {
      ...this.#options.connect?.(),
      events: true,
      ...(this.addresses.hasOthers ? { moves: true } : {}),
    };
    const discard = ({ exchange }: { readonly exchange: ControlExchange }): void =>
      exchange.transport.destroy();
    const isNode = payload.node_id !== undefined;
    const timeoutMs = this.#options.timeoutMs ?? (isNode ? NODE_ENTRY_MS : 10_000);
    let welcomed: Welcomed;
    if (!isNode) {
      const dial = async (url: string, abort: AbortSignal): Promise<Welcomed> =>
        this.#enter(await this.#reach(url, timeoutMs, abort), payload, timeoutMs, abort);
      welcomed = await this.addresses.connect(dial, { signal, discard });
    } else {
      // A node is where it says so last: of several control planes that race, one alone is told.
      const reach = (url: string, abort: AbortSignal): Promise<Reached> => this.#reach(url, timeoutMs, abort);
      const reached = await this.addresses.connect(reach, { signal, discard });
      welcomed = await this.#enter(reached, payload, timeoutMs, signal).catch((thrown: unknown) => {
        if (!signal.aborted) this.addresses.failed(reached.url, FsError.from(thrown).message);
        throw thrown;
      });
    }
    const { exchange, welcome } = welcomed;
    exchange.pushed.on((frame) => this.#pushed(welcomed, frame));
    this.#exchanges.set(exchange.transport, exchange);
    this.#welcome = welcome;
    this.#arriving = welcomed;
    return exchange.transport;
  }

  /** A connection to a control plane that speaks to us. */
  async #reach(url: string, timeoutMs: number, signal: AbortSignal): Promise<Reached> {
    const { token: given, ca } = this.#options;
    const token = typeof given === 'function' ? given() : given;
    const quick = this.addresses.hasOthers
      ? { ...QUICK_KEEPALIVE, onSilent: () => this.doubt(url) }
      : undefined;
    const keepalive = this.#options.keepalive ?? quick;
    const transport = await connectWs(url, {
      maxMessageBytes: MAX_REPLY_BYTES,
      timeoutMs,
      signal,
      ...(token === undefined ? {} : { token }),
      ...(ca === undefined ? {} : { ca }),
      ...(keepalive === undefined ? {} : { keepalive }),
    });
    return orDestroyed(transport, signal, async () => {
      const exchange = new ControlExchange(transport);
      await exchange.request('version', { protocol: CONTROL_PROTOCOL }, timeoutMs);
      return { exchange, url };
    });
  }

  /** Says who this is, over that connection. */
  #enter(
    { exchange, url }: Reached,
    payload: ControlRequest<'connect'>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Welcomed> {
    const { project } = this.#options;
    return orDestroyed(exchange.transport, signal, async () => {
      const welcome = await this.#sayWho(exchange, payload, timeoutMs);
      if (project === undefined) return { exchange, welcome, url };
      const asked = { project_id: project.id, project_token: project.token };
      await exchange.request('session_attach', asked, timeoutMs);
      return { exchange, welcome: { ...welcome, project_id: project.id }, url };
    });
  }

  /** Nothing is heard of the server: another may do, and takes this one's place if it is there sooner. */
  doubt(url: string): void {
    if (this.#open?.url !== url) return;
    this.#isSilent = true;
    this.addresses.failed(url, 'It is silent.');
    this.#reconnector.move();
  }

  /** The one that there is counts no longer: another takes its place. */
  connectAgain(): void {
    this.#reconnector.move();
  }

  /** Another connection is in the place of this one, which lives on until what was asked over it is answered. */
  #leave(before: Transport): void {
    const left = this.#exchanges.get(before);
    if (left === undefined) return;
    this.#left.add(left);
    before.onClose(() => this.#left.delete(left));
    const bound = setTimeout(() => before.destroy(), this.#isSilent ? LEAVE_SILENT_MS : LEAVE_MS);
    this.#isSilent = false;
    bound.unref();
    void left.answered().then(() => {
      clearTimeout(bound);
      before.close();
    });
  }

  /** Goes on with the session of before, or begins another where that one is gone. */
  async #sayWho(
    exchange: ControlExchange,
    payload: ControlRequest<'connect'>,
    timeoutMs: number,
  ): Promise<Welcome> {
    const session = payload.session ?? this.#welcome?.session ?? undefined;
    if (payload.node_id !== undefined)
      return exchange.request('connect', payload, Math.max(timeoutMs, NODE_PATIENCE_MS));
    if (session === undefined) return exchange.request('connect', payload, timeoutMs);
    try {
      return await exchange.request('connect', { ...payload, session }, timeoutMs);
    } catch (thrown) {
      if (faultOf(thrown)?.code !== 'not_found') throw thrown;
      return exchange.request('connect', { ...payload, session: undefined }, timeoutMs);
    }
  }

  #announce({ exchange, welcome }: Welcomed): void {
    for (const subscription of this.#subscriptions) subscription.begin(exchange);
    this.connected.emit(welcome);
  }

  #pushed({ exchange, url }: Welcomed, frame: ControlEnvelope): void {
    switch (frame.type) {
      case 'control.going_away': {
        const { within_ms = MOVE_WITHIN_MS } = payloadOf(frame, CONTROL_EVENTS.going_away.payload);
        this.addresses.leaving(url);
        if (this.addresses.hasOthers && this.#open?.exchange === exchange) this.#reconnector.move(within_ms);
        return;
      }
      case 'control.session_changed':
        this.sessionChanged.emit(payloadOf(frame, CONTROL_EVENTS.session_changed.payload));
        return;
      case 'control.node_superseded':
        this.superseded.emit(payloadOf(frame, CONTROL_EVENTS.node_superseded.payload));
        return;
      case 'control.node_service_event': {
        const event = payloadOf(frame, CONTROL_EVENTS.node_service_event.payload);
        for (const subscription of this.#subscriptions) subscription.receive(event);
        return;
      }
      case 'control.error': {
        const fault = faultFromFrame(frame);
        for (const subscription of this.#subscriptions) subscription.cutOff(fault, this.#open?.exchange);
        return;
      }
      default:
        // A newer server may push what we do not know.
        return;
    }
  }
}

/** What `act` answers, over a connection that is cut where it fails, or is aborted. */
async function orDestroyed<T>(transport: Transport, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
  const abandon = (): void => transport.destroy();
  signal.addEventListener('abort', abandon, { once: true });
  try {
    return await act();
  } catch (thrown) {
    transport.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener('abort', abandon);
  }
}
