import { ControlClient } from '../control/client/index.js';
import { FsError, silentLog, type Log } from '../core/index.js';
import { MAX_FS_FRAME_BYTES } from '../protocol/index.js';
import { Reconnector, connectWs, logConnection, type Transport } from '../transport/index.js';
import { RemoteVfs, sendHello } from '../tunnel/index.js';

/** Which tree, and as whom. */
export interface TreeAddress {
  /** `ws://` or `wss://` of the control plane, without a path. */
  readonly url: string;
  readonly token: string;
  /** Certificates to trust, PEM. */
  readonly ca?: string | undefined;
  readonly project?: { readonly id: string; readonly token: string | null } | undefined;
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  readonly log?: Log;
}

/** The tree of a control plane, as one session sees it, over a connection that comes back by itself. */
export class RemoteTree {
  readonly vfs: RemoteVfs;
  readonly #address: TreeAddress;
  readonly #log: Log;
  readonly #reconnector: Reconnector;
  /** The session, once there is one: it outlives connections, and restarts of the control plane. */
  #session: string | undefined;

  constructor(address: TreeAddress) {
    this.#address = address;
    this.#log = address.log ?? silentLog;
    this.vfs = new RemoteVfs({ log: this.#log });
    const { minDelayMs = 50, maxDelayMs = 1000 } = address;
    this.#reconnector = new Reconnector({
      connect: (signal) => this.#connect(signal),
      minDelayMs,
      maxDelayMs,
    });
    logConnection(this.#reconnector.states, { name: 'the control plane', log: this.#log });
  }

  /**
   * Connects, and from then on stays so. A control plane that is not there is tried again until
   * `patienceMs` have passed.
   * @throws FsError EACCES for a token that is not good, ENOENT for the project, EHOSTDOWN
   */
  start(patienceMs = 0): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
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

  async close(): Promise<void> {
    this.#reconnector.close();
    await this.vfs.close();
  }

  async #connect(signal: AbortSignal): Promise<Transport> {
    this.#session ??= await this.#beginSession();
    const { url, token, ca } = this.#address;
    const transport = await connectWs(`${url.replace(/\/$/, '')}/v2/fs`, {
      token,
      signal,
      maxMessageBytes: MAX_FS_FRAME_BYTES,
      ...(ca === undefined ? {} : { ca }),
    });
    try {
      this.vfs.attach(await sendHello(transport, { session: this.#session }));
    } catch (thrown) {
      // The session is gone (it was closed, or the state of the control plane is another): begin anew.
      if (FsError.from(thrown).code === 'ENOENT') this.#session = undefined;
      throw thrown;
    }
    return transport;
  }

  /** A session of the token's, attached to the project. */
  async #beginSession(): Promise<string> {
    const { url, token, ca, project } = this.#address;
    const client = new ControlClient({ url, token, ca, project, isFinal: () => true });
    try {
      const { session } = await client.start().ready();
      if (session == null) throw new FsError('EPROTO', 'The control plane began no session for this token.');
      return session;
    } finally {
      client.close();
    }
  }
}
