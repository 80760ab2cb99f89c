import { ControlClient } from '../control/client/index.js';
import { FsError, silentLog, systemClock, type Clock, type Emitter, type Log } from '../core/index.js';
import { KeptDescriptors, type CatalogFollower } from '../planefs/client/index.js';
import { MAX_FS_FRAME_BYTES } from '../protocol/index.js';
import {
  QUICK_KEEPALIVE,
  Reconnector,
  ServerAddresses,
  connectWs,
  logConnection,
  type AddressView,
  type ConnectionState,
  type Transport,
} from '../transport/index.js';
import { RemoteVfs, sendHello, type Handshake } from '../tunnel/index.js';

/** Where there are other control planes, a request waits so long for the next one. */
const PATIENCE_MS = 4_000;
/** Those that are told to go elsewhere do so within this time, each at a moment of its own. */
const MOVE_WITHIN_MS = 300;

/** A connection on which both sides have said who they are. */
interface Attached {
  readonly transport: Transport;
  readonly handshake: Handshake;
  readonly session: string;
  readonly url: string;
}

/** Which tree, and as whom. */
export interface TreeAddress {
  /** `ws://` or `wss://` of the control plane, without a path; of several that do the same, with commas between. */
  readonly url: string;
  readonly token: string;
  /** Certificates to trust, PEM. */
  readonly ca?: string | undefined;
  readonly project?: { readonly id: string; readonly token: string | null } | undefined;
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** True: the descriptors of all that the session sees are kept, to show them for a while without the control plane. */
  readonly keepsDescriptors?: boolean;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** The tree of a control plane, as one session sees it, over a connection that comes back by itself. */
export class RemoteTree {
  readonly vfs: RemoteVfs;
  #address: TreeAddress;
  readonly #log: Log;
  readonly #addresses: ServerAddresses;
  readonly #reconnector: Reconnector;
  readonly #follower: CatalogFollower | undefined;
  /** The session, once there is one: it outlives connections, and restarts of the control plane. */
  #session: string | undefined;
  #losses = 0;
  #url: string | undefined;
  #isSilent = false;

  constructor(address: TreeAddress) {
    this.#address = address;
    this.#log = address.log ?? silentLog;
    const kept = address.keepsDescriptors === true ? new KeptDescriptors() : undefined;
    const { minDelayMs = 50, maxDelayMs = 1000, clock = systemClock } = address;
    this.#addresses = ServerAddresses.from(address.url, { clock });
    const { hasOthers } = this.#addresses;
    this.vfs = new RemoteVfs({
      clock,
      log: this.#log,
      ...(hasOthers ? { patienceMs: PATIENCE_MS } : {}),
      ...(kept === undefined ? {} : { standIn: kept }),
    });
    this.#follower = kept?.follow(this.vfs, this.#log);
    this.#reconnector = new Reconnector({
      connect: (signal) => this.#connect(signal),
      minDelayMs,
      maxDelayMs,
      hasOthers,
      // What is under way over it is answered first; `vfs` closes it then.
      leave: () => undefined,
    });
    this.#reconnector.states.on((state) => {
      if (state.state === 'backing-off' && this.#url !== undefined)
        this.#addresses.failed(this.#url, state.error.message);
      if (state.state === 'backing-off') this.#url = undefined;
    });
    this.vfs.goingAway.on(({ withinMs = MOVE_WITHIN_MS }) => {
      if (this.#url !== undefined) this.#addresses.leaving(this.#url);
      if (hasOthers) this.#reconnector.move(withinMs);
    });
    let wasOpen = false;
    this.#reconnector.states.on(({ state }) => {
      if (wasOpen && state !== 'open') this.#losses++;
      wasOpen = state === 'open';
    });
    logConnection(this.#reconnector.states, { name: 'the control plane', log: this.#log });
  }

  /** How the connection is, whenever that changes. */
  get states(): Pick<Emitter<ConnectionState>, 'on'> {
    return this.#reconnector.states;
  }

  /**
   * Another token counts from the next connection on. What is asked over the present one goes on, unless the control plane
   * does not take the token before any more: then that one connects at once. `changed` false: it is the same.
   * @throws FsError EACCES for a token that is not good: the one before stays
   */
  async useToken(token: string): Promise<{ readonly changed: boolean }> {
    const before = this.#address;
    if (token === before.token) return { changed: false };
    const session = await beginSession({ ...before, token });
    const isTaken = await beginSession(before).then(
      () => true,
      (thrown: unknown) => FsError.from(thrown).code !== 'EACCES',
    );
    this.#address = { ...before, token };
    this.#session = session;
    const { state } = this.#reconnector;
    if (!isTaken && state.state === 'open') state.transport.close();
    this.#reconnector.retryNow();
    return { changed: true };
  }

  /** Which of the addresses is in use, and which do not answer. */
  get addresses(): readonly AddressView[] {
    return this.#addresses.views;
  }

  /**
   * Connects, and from then on stays so. A control plane that is not there is tried again until
   * `mostMs` have passed.
   * @throws FsError EACCES for a token that is not good, ENOENT for the project, EHOSTDOWN
   */
  start(mostMs = 0): Promise<void> {
    const deadlineMs = performance.now() + mostMs;
    return new Promise((resolve, reject) => {
      const stopListening = this.#reconnector.states.on((state) => {
        if (state.state === 'closed') {
          stopListening();
          reject(state.error ?? new FsError('ECANCELED', 'The connection was closed.'));
        } else if (state.state === 'open') {
          stopListening();
          resolve();
        } else if (state.state === 'backing-off') {
          const { error } = state;
          const isAbsent = error.code === 'EHOSTDOWN' || error.code === 'ETIMEDOUT';
          if (!isAbsent || performance.now() >= deadlineMs) this.#reconnector.close(error);
        }
      });
      this.#reconnector.start();
    });
  }

  /** Whether it is connected now. */
  get connected(): boolean {
    return this.#reconnector.state.state === 'open';
  }

  /** How often a connection was lost. */
  get losses(): number {
    return this.#losses;
  }

  async close(): Promise<void> {
    this.#reconnector.close();
    this.#follower?.close();
    await this.vfs.close();
  }

  async #connect(signal: AbortSignal): Promise<Transport> {
    try {
      const attached = await this.#addresses.connect((url, abort) => this.#attach(url, abort), {
        signal,
        discard: ({ transport }) => transport.destroy(),
      });
      this.#session = attached.session;
      this.#url = attached.url;
      const isSilent = this.#isSilent;
      this.#isSilent = false;
      this.vfs.attach(attached.handshake, { isSilent });
      return attached.transport;
    } catch (thrown) {
      const { code } = FsError.from(thrown);
      // A session that the control plane does not know is shown nothing that is kept.
      if (code === 'ENOENT' || code === 'EACCES') this.vfs.forget();
      throw thrown;
    }
  }

  /** In the session that there is; in another where that control plane does not know it. */
  async #attach(url: string, signal: AbortSignal): Promise<Attached> {
    const known = this.#session;
    if (known !== undefined) {
      try {
        return await this.#attachIn(known, url, signal);
      } catch (thrown) {
        if (FsError.from(thrown).code !== 'ENOENT') throw thrown;
        // The session is gone (it was closed, or the state of the control plane is another): begin anew.
        this.vfs.forget();
      }
    }
    return this.#attachIn(await beginSession({ ...this.#address, url }), url, signal);
  }

  async #attachIn(session: string, url: string, signal: AbortSignal): Promise<Attached> {
    const { token, ca } = this.#address;
    const { hasOthers } = this.#addresses;
    const keepalive = { ...QUICK_KEEPALIVE, onSilent: () => this.#silent(url) };
    const transport = await connectWs(`${url.replace(/\/$/, '')}/v2/fs`, {
      token,
      signal,
      maxMessageBytes: MAX_FS_FRAME_BYTES,
      ...(hasOthers ? { keepalive } : {}),
      ...(ca === undefined ? {} : { ca }),
    });
    const abandon = (): void => transport.destroy();
    signal.addEventListener('abort', abandon, { once: true });
    try {
      return {
        transport,
        handshake: await sendHello(transport, { session, moves: hasOthers }),
        session,
        url,
      };
    } finally {
      signal.removeEventListener('abort', abandon);
    }
  }

  /** Nothing is heard of the server: another may do, and takes its place if it is there sooner. */
  #silent(url: string): void {
    if (this.#url !== url) return;
    this.#isSilent = true;
    this.#addresses.failed(url, 'It is silent.');
    this.#reconnector.move();
  }
}

/** A session of the token's, attached to the project. */
async function beginSession({ url, token, ca, project }: TreeAddress): Promise<string> {
  const client = new ControlClient({ url, token, ca, project, isFinal: () => true });
  try {
    const { session } = await client.start().ready();
    if (session == null) throw new FsError('EPROTO', 'The control plane began no session for this token.');
    return session;
  } finally {
    client.close();
  }
}
