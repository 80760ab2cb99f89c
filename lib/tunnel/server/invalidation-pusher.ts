import { FsError } from '../../core/index.js';
import { ROOT_NODE, type AcheronEnvelope } from '../../protocol/index.js';
import { HIGH_WATER_BYTES } from '../../transport/index.js';
import type { Session } from '../../policy/index.js';
import type { Awaitable, Change } from '../../vfs/index.js';
import type { FramePort } from '../wire/frame-port.js';
import type { CatalogNews } from './catalog-source.js';
import type { KnownNode } from './numbered-nodes.js';
import { ServedOp } from './served-op.js';
import type { ServedSession } from './served-session.js';

/** A session of the peer's, and its rights as of now. */
interface Addressee {
  readonly peer: ServedSession;
  readonly session: Session;
  /** A request of its own on this connection did it. */
  readonly isOwn: boolean;
}

/**
 * Notifies a peer which of the nodes that it knows are no longer as they were. A session is notified of names that
 * it can see or has seen with the rights that it has, and of no others. A peer that does not keep up gets one
 * "everything changed" in place of what it missed.
 */
export class InvalidationPusher {
  readonly #port: FramePort;
  readonly #sessions: () => Iterable<ServedSession>;
  #behind = false;

  constructor(port: FramePort, sessions: () => Iterable<ServedSession>) {
    this.#port = port;
    this.#sessions = sessions;
  }

  push(change: Change): void {
    if (!this.#keepsUp()) return;
    if (change.what === 'all') {
      this.everything();
      return;
    }
    for (const peer of this.#sessions()) {
      const { nodes } = peer;
      if (nodes.numbersOfIno(change.ino).size === 0 && (change.what !== 'tree' || nodes.pathless.size === 0))
        continue;
      const session = sessionOf(peer);
      const isOwn = 'by' in change && change.by === peer;
      if (session !== null) this.#pushTo({ peer, session, isOwn }, change);
    }
  }

  /** The catalog says something else of these nodes; a peer that does not keep up is notified of everything then. */
  catalog(nodes: readonly CatalogNews[]): void {
    if (!this.#keepsUp()) return;
    this.#port.send({ channel: 'acheron', type: 'acheron.e_fs_catalog', payload: { nodes: [...nodes] } });
  }

  /** Nothing that the peer keeps is sure any longer; with `sync`, it confirms. */
  everything(sync?: number): void {
    for (const { nodes } of this.#sessions()) nodes.doubtAll();
    this.#port.send({
      channel: 'acheron',
      type: 'acheron.e_fs_inval',
      payload: { node: ROOT_NODE, what: 'all', tree: true, ...(sync === undefined ? {} : { sync }) },
    });
  }

  /** False for a peer that is notified of everything once it has taken what was sent. */
  #keepsUp(): boolean {
    if (this.#behind) return false;
    const { transport } = this.#port;
    if (transport.bufferedBytes <= HIGH_WATER_BYTES) return true;
    this.#behind = true;
    void transport.drained().then(() => {
      this.#behind = false;
      this.everything();
    });
    return false;
  }

  #pushTo(to: Addressee, change: Exclude<Change, { what: 'all' }>): void {
    const { peer, session } = to;
    if (change.what === 'tree')
      for (const number of peer.nodes.pathless) this.#lookAgain(to, peer.nodes.get(number));
    for (const number of peer.nodes.numbersOfIno(change.ino)) {
      // Whatever was hidden from a session since it was shown, it hears nothing of.
      if (session.role !== 'admin' && !peer.nodes.isShown(number)) continue;
      const known = peer.nodes.get(number);
      if (change.what === 'tree') this.#pushTree(to, number);
      else if (change.what === 'entry') this.#pushEntry(to, known, change.name);
      else if (change.what === 'data' && known.node.kind === 'dir') this.#send(to, 'dir', { dir: number });
      else this.#send(to, 'node', { node: number, what: change.what });
    }
  }

  /** What of it is hidden by now, nobody looked up again: of that, this is the last that the session hears. */
  #pushTree(to: Addressee, number: number): void {
    this.#send({ ...to, isOwn: false }, 'node', { node: number, what: 'all', tree: true });
    to.peer.nodes.doubt(number);
  }

  #pushEntry(to: Addressee, { number: dir, node, children }: KnownNode, name: string): void {
    const { peer, session } = to;
    const push = (): void => this.#send(to, 'dir', { dir, name });
    const number = children.get(name);
    const isSeen = number !== undefined && peer.nodes.isShown(number);
    const isListed = number !== undefined && peer.nodes.isListed(number);
    if (isSeen || session.role === 'admin') push();
    if (session.role === 'admin' || node.kind !== 'dir' || (isSeen && node.freshness === 'shared')) return;
    this.#try(
      () => node.lookup(name, new ServedOp(session)),
      (isThere) => {
        if (isThere) {
          if (!isSeen) push();
          return;
        }
        if (number === undefined) return;
        if (isSeen) this.#pushTree(to, number);
        else if (isListed) push();
        peer.nodes.leave(number);
      },
    );
  }

  /** What was found without a way to it may be hidden by a change anywhere. */
  #lookAgain(to: Addressee, { number, node }: KnownNode): void {
    if (to.session.role === 'admin' || !to.peer.nodes.isShown(number)) return;
    this.#try(
      () => node.stat(new ServedOp(to.session)),
      (isThere) => {
        if (!isThere) this.#pushTree(to, number);
      },
    );
  }

  /** Whether the session sees something; answered at once where the tree answers at once. */
  #try(look: () => Awaitable<unknown>, answer: (isThere: boolean) => void): void {
    const failed = (thrown: unknown): void => answer(FsError.from(thrown).code !== 'ENOENT');
    try {
      const found = look();
      if (found instanceof Promise) found.then(() => answer(true), failed);
      else answer(true);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #send({ peer, isOwn }: Addressee, about: 'node' | 'dir', payload: Record<string, unknown>): void {
    const frame: AcheronEnvelope = {
      channel: 'acheron',
      type: about === 'dir' ? 'acheron.e_fs_inval_dir' : 'acheron.e_fs_inval',
      payload: isOwn ? { ...payload, own: true } : payload,
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
