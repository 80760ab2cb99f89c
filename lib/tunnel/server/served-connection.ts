import { FsError, silentLog, type Log, type Unsubscribe } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  DEFAULT_MSIZE,
  errorFrameFrom,
  errorFrameFromFault,
  FS_EVENTS,
  FS_MESSAGES,
  fsMessageOfType,
  LAYOUT,
  payloadOf,
  ProtocolFault,
  qidOf,
  requestReferenceOf,
  TUNNEL_EVENTS,
  type AcheronEnvelope,
  type Envelope,
  type FsMessageName,
  type FsReply,
} from '../../protocol/index.js';
import {
  CLOSE_GOING_AWAY,
  CLOSE_POLICY,
  CLOSE_PROTOCOL_ERROR,
  type Transport,
} from '../../transport/index.js';
import type { Awaitable, Vfs } from '../../vfs/index.js';
import { exportsOfTree } from './exports-of-tree.js';
import { FileLocks } from './file-locks.js';
import { dataOf, type FramePort } from '../wire/frame-port.js';
import {
  answerHello,
  answerVersion,
  acceptHello,
  type Handshake,
  type AcceptOptions,
} from '../wire/handshake.js';
import {
  FS_HANDLERS,
  type ServedName,
  type ServedReply,
  type ServedRequest,
  type Server,
} from './handlers/index.js';
import { InvalidationPusher } from './invalidation-pusher.js';
import { NodeNumbers } from './numbered-nodes.js';
import { kindOfRequest, onlyReads } from '../wire/deadlines.js';
import { ReadBudget } from './read-budget.js';
import { costOfOpen, costOfRead } from './read-cost.js';
import { SHOWING, type LeaveHow, type Relayed, type ServeOptions } from './serve-options.js';
import { ServedOp } from './served-op.js';
import { MAX_RUNNING, MAX_WRITING_BYTES, ServedSession } from './served-session.js';
import { sessionFromWire } from '../wire/wire-session.js';

/** A peer that sends this many unreadable frames in a row is cut. */
const MAX_FAULTS = 64;
const MAX_SESSIONS = 20_000;
const SYNC_TIMEOUT_MS = 5000;

/** Serves `vfs` to a peer whose hello was accepted. */
export function serveVfs(vfs: Vfs, handshake: Handshake, options: ServeOptions): ServedConnection {
  return new ServedConnection(vfs, handshake, options);
}

/** Answers the hello of the peer behind `transport`, then serves `vfs` to it. @throws FsError as `acceptHello`. */
export async function acceptAndServe(
  vfs: Vfs,
  transport: Transport,
  options: ServeOptions & AcceptOptions,
): Promise<ServedConnection> {
  return serveVfs(vfs, await acceptHello(transport, options), options);
}

/** One peer that uses a `Vfs` over a transport. */
export class ServedConnection {
  /** Answers when the peer is gone and everything that it held was given back. Never rejects. */
  readonly closed: Promise<void>;
  readonly #vfs: Vfs;
  readonly #port: FramePort;
  readonly #options: ServeOptions;
  readonly #log: Log;
  readonly #numbers = new NodeNumbers();
  readonly #sessions = new Map<string, ServedSession>();
  readonly #pusher: InvalidationPusher;
  readonly #syncs = new Map<number, () => void>();
  #unsubscribe: Unsubscribe;
  #server: Server;
  /** The largest reply that the peer takes. */
  #msize: number = DEFAULT_MSIZE;
  /** The peer goes to another server by itself. */
  readonly #moves: boolean;
  /** Why it is to be closed once the peer waits for no answer. */
  #leaves: string | undefined;
  #nextHandle = 1;
  #nextSync = 1;
  #faults = 0;

  constructor(vfs: Vfs, handshake: Handshake, options: ServeOptions) {
    this.#vfs = vfs;
    this.#port = handshake.port;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#moves = handshake.hello.capabilities?.moves === true;
    this.#server = {
      limits: { replyBytes: 0, dataBytes: 0 },
      newHandle: () => this.#nextHandle++,
      exports: options.exportsOf ?? ((op) => exportsOfTree(vfs.root, op)),
      catalog: options.catalog,
      locks: options.locks ?? FileLocks.of(vfs),
    };
    this.#setLimits(handshake.msize);
    if ('sessionOf' in options) this.#addSession(undefined, options.sessionOf);
    this.#pusher = new InvalidationPusher(this.#port, () => this.#sessions.values());
    const stopChanges = vfs.changes.on((change) => this.#pusher.push(change));
    const stopCatalog = options.catalog?.watch((nodes) => this.#pusher.catalog(nodes));
    this.#unsubscribe = () => {
      stopChanges();
      stopCatalog?.();
    };
    const { transport } = this.#port;
    this.closed = new Promise((resolve) => {
      transport.onClose(() => {
        void this.#ended().then(resolve);
      });
    });
    this.#port.receive({
      frame: (frame, data) => this.#frame(frame, data),
      fault: (fault) => this.#fault(fault),
    });
    transport.resume();
  }

  /**
   * The session's rights changed: what the peer keeps is no longer sure. Answers once the peer has
   * confirmed that it shows nothing older, or is gone; a peer that does not confirm in time is cut.
   */
  async sessionChanged(): Promise<void> {
    const { transport, framing } = this.#port;
    if (!transport.open) return;
    this.#options.catalog?.forget();
    if (!framing.sync) {
      this.#pusher.everything();
      return;
    }
    const sync = this.#nextSync++;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => transport.destroy(), SYNC_TIMEOUT_MS);
      this.#syncs.set(sync, () => {
        clearTimeout(timer);
        this.#syncs.delete(sync);
        resolve();
      });
      this.#pusher.everything(sync);
    });
  }

  close(reason = 'closed'): void {
    this.#port.transport.close(CLOSE_POLICY, reason);
  }

  /**
   * This side goes. A peer that knows another server to go to is told, and closes the connection when it has; any other is
   * left once it waits for no answer. `waitFor` is given the end of the former.
   */
  goAway(how: LeaveHow): void {
    if (this.#moves) {
      const payload = { reason: how.reason, within_ms: how.withinMs };
      this.#port.send({ channel: 'acheron', type: 'acheron.e_going_away', payload });
      how.waitFor(this.closed);
    } else {
      this.#leaves = how.reason;
      this.#leaveIfDone();
    }
  }

  /** Closes it once the peer waits for no answer. */
  #leaveIfDone(): void {
    if (this.#leaves !== undefined) this.leaveIfIdle(this.#leaves);
  }

  /** Says goodbye because this side goes, unless a request of the peer's may still be answered. */
  leaveIfIdle(reason: string): void {
    if ([...this.#sessions.values()].some(({ running, waiting }) => running.size > waiting)) return;
    this.#port.transport.close(CLOSE_GOING_AWAY, reason);
  }

  #addSession(id: string | undefined, sessionOf: () => Session): void {
    const budget = new ReadBudget(this.#port.transport);
    this.#sessions.set(id ?? '', new ServedSession(id, sessionOf, this.#vfs.root, this.#numbers, budget));
  }

  async #ended(): Promise<void> {
    this.#unsubscribe();
    for (const done of [...this.#syncs.values()]) done();
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    if ('relayed' in this.#options)
      for (const { id } of sessions) if (id !== undefined) this.#options.relayed.onSessionEnd?.(id);
    await Promise.all(sessions.map((peer) => peer.abandon()));
  }

  #fault(fault: ProtocolFault): void {
    this.#port.send(errorFrameFromFault(fault, 'acheron'));
    if (++this.#faults < MAX_FAULTS) return;
    this.#log.warn('A peer that sends nothing readable was cut.', { code: fault.code });
    this.#port.transport.close(CLOSE_PROTOCOL_ERROR, 'too many faults');
  }

  #frame(frame: Envelope, data: Uint8Array | undefined): void {
    try {
      if (frame.channel === 'acheron' && this.#acheron(frame, data)) {
        this.#faults = 0;
        return;
      }
      throw new ProtocolFault('unsupported_type', `${frame.type} is not served here.`);
    } catch (thrown) {
      this.#fault(ProtocolFault.from(thrown).about(requestReferenceOf(frame)));
    }
  }

  /** False for a type that is not served. */
  #acheron(frame: AcheronEnvelope, data: Uint8Array | undefined): boolean {
    const name = fsMessageOfType(frame.type);
    // The locks of our own mounts are kept where the mount is.
    const isServed = name !== 'lock' || this.#port.dialect !== undefined;
    if (name !== undefined && name !== 'hello' && isServed) {
      this.#request(name, frame, data);
      return true;
    }
    switch (frame.type) {
      case 'acheron.t_fs_hello':
        // The family's mounts say it again to see whether we are there.
        if (this.#port.dialect !== undefined) {
          answerHello(this.#port, frame, false);
          return true;
        }
        throw new ProtocolFault('invalid_envelope', 'Hello has been said.');
      case 'acheron.t_version':
        this.#setLimits(answerVersion(this.#port, frame, this.#msize));
        return true;
      case 'acheron.t_attach':
        void this.#attach(frame);
        return true;
      case 'acheron.e_fs_synced':
        this.#syncs.get(payloadOf(frame, FS_EVENTS.e_fs_synced.payload).sync)?.();
        return true;
      default:
        return 'relayed' in this.#options && this.#fromControlPlane(frame, this.#options.relayed);
    }
  }

  #fromControlPlane(frame: AcheronEnvelope, { maxRole, onNodeFacts, admit, onSessionEnd }: Relayed): boolean {
    switch (frame.type) {
      case 'acheron.e_session': {
        const { session: wire } = payloadOf(frame, TUNNEL_EVENTS.e_session.payload);
        const said = sessionFromWire(wire, maxRole);
        const known = this.#sessions.get(said.id);
        if (known === undefined && this.#sessions.size >= MAX_SESSIONS) return true;
        const sessionOf = admit?.(said) ?? (() => said);
        if (known === undefined) this.#addSession(said.id, sessionOf);
        else {
          known.sessionOf = sessionOf;
          known.nodes.doubtAll();
        }
        return true;
      }
      case 'acheron.e_session_end': {
        const { id } = payloadOf(frame, TUNNEL_EVENTS.e_session_end.payload);
        const ended = this.#sessions.get(id);
        this.#sessions.delete(id);
        void ended?.abandon();
        if (ended !== undefined) onSessionEnd?.(id);
        return true;
      }
      case 'acheron.e_node_facts':
        onNodeFacts?.({
          nodeProjects: payloadOf(frame, TUNNEL_EVENTS.e_node_facts.payload).node_projects,
        });
        return true;
      default:
        return false;
    }
  }

  async #attach(frame: AcheronEnvelope): Promise<void> {
    const { tag } = frame;
    try {
      const op = new ServedOp(this.#viewOf(frame).sessionOf());
      const roots = (await this.#vfs.root.list(op)).map((entry) => `/${entry.name}`);
      this.#port.send({
        channel: 'acheron',
        type: 'acheron.r_attach',
        ...(tag === undefined ? {} : { tag }),
        ok: true,
        payload: { layout: LAYOUT, roots, qid: qidOf(this.#vfs.root.ino, 'dir') },
      });
    } catch (thrown) {
      this.#port.send(errorFrameFrom(thrown, requestReferenceOf(frame)));
    }
  }

  /** @throws FsError EACCES where a request names no session that the control plane has sent us. */
  #viewOf(frame: AcheronEnvelope): ServedSession {
    const found = this.#sessions.get('relayed' in this.#options ? (frame.s ?? '') : '');
    if (found === undefined) throw new FsError('EACCES', 'The request names no session that is known here.');
    return found;
  }

  #request(name: ServedName, frame: AcheronEnvelope, data: Uint8Array | undefined): void {
    const { tag } = frame;
    if (tag === undefined) throw new ProtocolFault('missing_field', 'The request has no tag.');
    try {
      const peer = this.#viewOf(frame);
      if (peer.running.has(tag)) {
        this.#port.send(
          errorFrameFrom(new ProtocolFault('conflict', `The tag ${tag} is in use.`), { channel: 'acheron' }),
        );
        return;
      }
      const payload = payloadOf(frame, FS_MESSAGES[name].request);
      const content = name === 'write' ? dataOf(frame, data) : undefined;
      const bytes = content?.byteLength ?? 0;
      if (peer.running.size >= MAX_RUNNING || (bytes > 0 && peer.writingBytes + bytes > MAX_WRITING_BYTES))
        throw new FsError('EBUSY', 'Too many requests of this session are running.', {
          hint: 'Wait for some of them to end.',
        });
      const { moment } = peer.nodes;
      const op = new ServedOp(peer.sessionOf(), onlyReads(name), moment, frame.uid, peer);
      this.#run(name, tag, { peer, frame, payload, data: content, op, server: this.#server });
    } catch (thrown) {
      this.#port.send(errorFrameFrom(thrown, requestReferenceOf(frame)));
    }
  }

  /** Answers at once where the tree does. */
  #run(name: ServedName, tag: number, request: ServedRequest<FsMessageName>): void {
    const { frame, peer, data, op } = request;
    const handler = FS_HANDLERS[name] as (
      request: ServedRequest<FsMessageName>,
    ) => Awaitable<ServedReply<FsReply<FsMessageName>>>;
    const reading = name === 'read' ? costOfRead(peer, frame) : name === 'open' ? costOfOpen(frame) : 0;
    const writing = data?.byteLength ?? 0;
    const mayWait = kindOfRequest(name) === 'idle';
    const end = (): void => {
      peer.running.delete(tag);
      if (mayWait) peer.waiting--;
      peer.writingBytes -= writing;
      if (reading > 0) peer.budget.leave(reading);
      // After the answer.
      if (this.#leaves !== undefined) setImmediate(() => this.#leaveIfDone());
    };
    peer.running.set(tag, op);
    if (mayWait) peer.waiting++;
    peer.writingBytes += writing;
    const about = SHOWING.has(name) ? (frame.node ?? peer.handles.get(frame.h ?? 0)?.node) : undefined;
    const answered = (reply: ServedReply<FsReply<FsMessageName>>): void => {
      if (about !== undefined) peer.nodes.shown(about, op.moment);
      this.#reply(name, tag, reply);
    };
    let answer: Awaitable<ServedReply<FsReply<FsMessageName>>>;
    try {
      const room = reading > 0 ? peer.budget.enter(reading) : undefined;
      answer = room === undefined ? handler(request) : room.then(() => handler(request));
    } catch (thrown) {
      end();
      this.#fail(name, frame, thrown);
      return;
    }
    if (answer instanceof Promise) {
      answer
        .then(answered)
        .catch((thrown: unknown) => this.#fail(name, frame, thrown))
        .finally(end);
    } else {
      end();
      answered(answer);
    }
  }

  #reply(name: ServedName, tag: number, reply: ServedReply<FsReply<FsMessageName>>): void {
    const { payload, data, onSpent } = reply;
    const type = `acheron.r_fs_${name}`;
    this.#port.send({ channel: 'acheron', type, tag, ok: true, payload }, data, onSpent);
  }

  #fail(name: ServedName, frame: AcheronEnvelope, thrown: unknown): void {
    if (!FsError.is(thrown) && !(thrown instanceof ProtocolFault))
      this.#log.error('A file request failed unexpectedly.', { request: name, error: String(thrown) });
    this.#port.send(errorFrameFrom(thrown, requestReferenceOf(frame)));
  }

  /** `msize`: the largest reply that the peer takes. */
  #setLimits(msize: number): void {
    this.#msize = msize;
    const room = msize - 1024;
    const dataBytes = this.#port.framing.binary ? room : Math.floor(room / 4) * 3;
    this.#server = { ...this.#server, limits: { replyBytes: room, dataBytes } };
  }
}
