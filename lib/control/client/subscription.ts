import { randomBytes } from 'node:crypto';
import type { ControlPush, ProtocolFault } from '../../protocol/index.js';
import { faultOf, type ControlExchange } from './control-exchange.js';

export type CatalogEvent = ControlPush<'node_service_event'>;

export interface SubscriptionOptions {
  readonly nodeId?: string;
  /** Where to begin: after a revision, at a cursor, or this many events ago. Default: now. */
  readonly sinceRevision?: number;
  readonly cursor?: string;
  readonly replayLimit?: number;
  readonly onEvent: (event: CatalogEvent) => void;
  /** The server watches for us; from now on nothing is missed. Again after each reconnect. */
  readonly onBegin?: () => void;
  /**
   * Events between the last one and now are lost to us (compacted, or what we may see has changed): read
   * the catalog anew. The watch goes on from now.
   */
  readonly onReset?: (why: string) => void;
  /** The server refused the watch for another reason; it is tried again with the next connection. */
  readonly onRefused?: (error: unknown) => void;
}

/** One watch of a `ControlClient`: each event once and in order, across any number of connections. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #onClose: (subscription: Subscription) => void;
  #watchId = '';
  #cursor: string | undefined;
  #exchange: ControlExchange | undefined;
  #closed = false;

  constructor(options: SubscriptionOptions, onClose: (subscription: Subscription) => void) {
    this.#options = options;
    this.#onClose = onClose;
    this.#cursor = options.cursor;
  }

  /** Where it stands: give it to another watch to go on there. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Asks the server of this connection to watch. */
  begin(exchange: ControlExchange): void {
    if (this.#closed) return;
    this.#exchange = exchange;
    const { nodeId, sinceRevision, replayLimit, onBegin, onReset, onRefused } = this.#options;
    const watchId = `w-${randomBytes(6).toString('hex')}`;
    this.#watchId = watchId;
    const from =
      this.#cursor === undefined
        ? { since_revision: sinceRevision, replay_limit: replayLimit }
        : { cursor: this.#cursor };
    exchange.request('node_service_watch', { watch_id: watchId, node_id: nodeId, ...from }).then(
      ({ cursor }) => {
        if (this.#watchId !== watchId) return;
        this.#cursor ??= cursor;
        onBegin?.();
      },
      (thrown: unknown) => {
        if (this.#watchId !== watchId || this.#closed || !exchange.transport.open) return;
        const fault = faultOf(thrown);
        if (fault?.code !== 'compacted') {
          onRefused?.(thrown);
          return;
        }
        onReset?.(fault.message);
        this.#beginAnew(exchange);
      },
    );
  }

  receive(event: CatalogEvent): void {
    if (this.#closed || event.watch_id !== this.#watchId) return;
    this.#cursor = event.cursor;
    this.#options.onEvent(event);
  }

  /** The server no longer watches for us: goes on from the cursor. */
  cutOff(fault: ProtocolFault, exchange: ControlExchange | undefined): void {
    if (this.#closed || fault.code !== 'lagged' || fault.details?.['watch_id'] !== this.#watchId) return;
    if (exchange !== undefined) this.begin(exchange);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
    const exchange = this.#exchange;
    if (exchange?.transport.open !== true) return;
    // Nobody waits for it: if it fails, the connection is gone and the watch with it.
    exchange.request('node_service_unwatch', { watch_id: this.#watchId }).catch(() => undefined);
  }

  #beginAnew(exchange: ControlExchange): void {
    const watchId = `w-${randomBytes(6).toString('hex')}`;
    this.#watchId = watchId;
    this.#cursor = undefined;
    exchange.request('node_service_watch', { watch_id: watchId, node_id: this.#options.nodeId }).then(
      ({ cursor }) => {
        if (this.#watchId !== watchId) return;
        this.#cursor ??= cursor;
        this.#options.onBegin?.();
      },
      (thrown: unknown) => this.#options.onRefused?.(thrown),
    );
  }
}
