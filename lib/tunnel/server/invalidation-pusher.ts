import { FsError } from '../../core/index.js';
import { ROOT_NODE, type AcheronEnvelope } from '../../protocol/index.js';
import { HIGH_WATER_BYTES } from '../../transport/index.js';
import type { Session } from '../../policy/index.js';
import type { Change } from '../../vfs/index.js';
import type { FramePort } from '../wire/frame-port.js';
import type { KnownNode } from './numbered-nodes.js';
import { ServedOp } from './served-op.js';
import type { ServedSession } from './served-session.js';

/**
 * Notifies a peer which of the nodes that it knows are no longer as they were. A session is notified of names that
 * it can see or has seen, and of no others. A peer that does not keep up gets one "everything changed" in
 * place of what it missed.
 */
export class InvalidationPusher {
  readonly #port: FramePort;
  readonly #views: () => Iterable<ServedSession>;
  #behind = false;

  constructor(port: FramePort, views: () => Iterable<ServedSession>) {
    this.#port = port;
    this.#views = views;
  }

  push(change: Change): void {
    if (this.#behind) return;
    if (this.#port.transport.bufferedBytes > HIGH_WATER_BYTES) {
      this.#behind = true;
      void this.#port.transport.drained().then(() => {
        this.#behind = false;
        this.everything();
      });
      return;
    }
    if (change.what === 'all') {
      this.everything();
      return;
    }
    for (const peer of this.#views()) {
      for (const number of peer.nodes.numbersOfIno(change.ino)) {
        const known = peer.nodes.get(number);
        if (change.what === 'tree') this.#send(peer, 'node', { node: number, what: 'all', tree: true });
        else if (change.what === 'entry') this.#pushEntry(peer, known, change.name);
        else if (change.what === 'data' && known.node.kind === 'dir')
          this.#send(peer, 'dir', { dir: number });
        else this.#send(peer, 'node', { node: number, what: change.what });
      }
    }
  }

  /** Nothing that the peer keeps is sure any longer; with `sync`, it confirms. */
  everything(sync?: number): void {
    this.#port.send({
      channel: 'acheron',
      type: 'acheron.e_fs_inval',
      payload: { node: ROOT_NODE, what: 'all', tree: true, ...(sync === undefined ? {} : { sync }) },
    });
  }

  #pushEntry(peer: ServedSession, directory: KnownNode, name: string): void {
    const push = (): void => this.#send(peer, 'dir', { dir: directory.number, name });
    const session = sessionOf(peer);
    if (session === null) return;
    if (session.role === 'admin' || directory.children.has(name)) {
      push();
      return;
    }
    if (directory.node.kind !== 'dir') return;
    try {
      const found = directory.node.lookup(name, new ServedOp(session));
      if (found instanceof Promise) found.then(push, (thrown: unknown) => pushUnlessAbsent(thrown, push));
      else push();
    } catch (thrown) {
      pushUnlessAbsent(thrown, push);
    }
  }

  #send(peer: ServedSession, about: 'node' | 'dir', payload: Record<string, unknown>): void {
    const frame: AcheronEnvelope = {
      channel: 'acheron',
      type: about === 'dir' ? 'acheron.e_fs_inval_dir' : 'acheron.e_fs_inval',
      payload,
    };
    this.#port.send(peer.id === undefined ? frame : { ...frame, s: peer.id });
  }
}

/** Null for a session that was revoked: nothing is sent to it any more. */
function sessionOf(peer: ServedSession): Session | null {
  try {
    return peer.sessionOf();
  } catch (thrown) {
    if (FsError.from(thrown).code !== 'EACCES') throw thrown;
    return null;
  }
}

function pushUnlessAbsent(thrown: unknown, push: () => void): void {
  if (FsError.from(thrown).code !== 'ENOENT') push();
}
