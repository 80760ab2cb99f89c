import type { Log } from '../../core/index.js';
import { MAX_FS_FRAME_BYTES } from '../../protocol/index.js';
import {
  connectWs,
  logConnection,
  QUICK_KEEPALIVE,
  Reconnector,
  type Transport,
} from '../../transport/index.js';
import { NODE_ENTRY_MS, type ControlClient } from './control-client.js';
import { reconnectDelays, type ReconnectDelays } from './reconnect-delays.js';

export interface NodeTunnelOptions extends ReconnectDelays {
  /** The tunnel is kept to the control plane to which this has its connection. */
  readonly client: ControlClient;
  readonly ca: string | undefined;
  readonly token: () => string | undefined;
  /** Says hello on a new connection, and serves the node's files there. */
  readonly serve: (transport: Transport) => Promise<ServedTunnel>;
  readonly log: Log;
}

/** A tunnel over which the node serves its files. */
export interface ServedTunnel {
  /** The control plane is told that this tunnel is left: it closes it when nothing is under way or open over it. */
  goAway(how: { readonly reason: string; readonly withinMs: number; readonly waitFor: () => void }): void;
}

/** A tunnel to a control plane that the node has left ends at the latest then. */
const LEFT_MS = 60_000;

/**
 * The one tunnel of a node. Where the node has gone to another control plane, the tunnel follows; the one before is
 * served on until nothing is under way over it.
 */
export class NodeTunnelLink {
  readonly #options: NodeTunnelOptions;
  readonly #reconnector: Reconnector;
  readonly #left = new Set<Transport>();
  readonly #served = new WeakMap<Transport, ServedTunnel>();
  /** Where it is, or where it is about to be. */
  #dialled: string | undefined;

  constructor(options: NodeTunnelOptions) {
    const { client, log } = options;
    this.#options = options;
    this.#reconnector = new Reconnector({
      connect: (signal) => this.#connect(signal),
      hasOthers: client.addresses.hasOthers,
      leave: (before) => this.#leave(before),
      ...reconnectDelays(options),
    });
    logConnection(this.#reconnector.states, { name: "the control plane's files", log });
    this.#reconnector.start();
  }

  /** The node has a connection, perhaps to another control plane. */
  follow(): void {
    if (this.#reconnector.state.state === 'backing-off' || this.#dialled !== this.#options.client.url)
      this.#reconnector.connectAfresh();
  }

  close(): void {
    this.#reconnector.close();
    for (const transport of this.#left) transport.close();
  }

  async #connect(signal: AbortSignal): Promise<Transport> {
    const { client, ca, serve } = this.#options;
    const token = this.#options.token();
    const { url } = client;
    this.#dialled = url;
    const keepalive = { ...QUICK_KEEPALIVE, onSilent: () => client.doubt(url) };
    const transport = await connectWs(`${url.replace(/\/$/, '')}/v2/fs`, {
      maxMessageBytes: MAX_FS_FRAME_BYTES,
      timeoutMs: NODE_ENTRY_MS,
      signal,
      ...(client.addresses.hasOthers ? { keepalive } : {}),
      ...(ca === undefined ? {} : { ca }),
      ...(token === undefined ? {} : { token }),
    });
    const abandon = (): void => transport.destroy();
    signal.addEventListener('abort', abandon, { once: true });
    try {
      this.#served.set(transport, await serve(transport));
    } finally {
      signal.removeEventListener('abort', abandon);
    }
    return transport;
  }

  #leave(before: Transport): void {
    this.#left.add(before);
    this.#served.get(before)?.goAway({
      reason: 'The node has gone to another control plane.',
      withinMs: 0,
      waitFor: () => undefined,
    });
    const bound = setTimeout(() => before.close(), LEFT_MS).unref();
    before.onClose(() => {
      clearTimeout(bound);
      this.#left.delete(before);
    });
  }
}
