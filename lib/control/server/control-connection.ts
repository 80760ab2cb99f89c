import type { JsonObject } from '../../core/index.js';
import type { Session } from '../../policy/index.js';
import {
  ControlDialect,
  DEBUG_EVENT,
  debugReply,
  controlMessage,
  controlNameFromType,
  controlReply,
  controlRequest,
  MAX_CONTROL_FRAME_MARKS,
  decodeEnvelope,
  encodeEnvelope,
  errorFrameFrom,
  isRuntimeType,
  errorFrameFromFault,
  MAX_CONTROL_FRAME_BYTES,
  ownTypeOf,
  payloadOf,
  ProtocolFault,
  requestReferenceOf,
  topologyEvent,
  type AcheronEnvelope,
  type ControlEnvelope,
  type ControlEventName,
  type ControlName,
  type ControlPush,
  type Envelope,
} from '../../protocol/index.js';
import { CLOSE_GOING_AWAY, HIGH_WATER_BYTES, type Message, type Transport } from '../../transport/index.js';
import { isTooDeep } from '../json-depth.js';
import type { LiveSession } from '../store/sessions.js';
import { answerAcheron } from './acheron-stub.js';
import { answerRuntime, type RuntimeChannel } from './runtime.js';
import { frameWithServices } from './event-services.js';
import type { GoingAway } from './drain.js';
import { admit, connectUnasked, isInOrder } from './admission.js';
import { handlerFor } from './handlers/index.js';
import { afterSilence, type Arrival } from './arrival.js';
import type { Credential } from './credential.js';
import type { Peer, PeerState } from './peer.js';
import type { ServerContext } from './server-context.js';
import { MAX_STRANGER_FRAME_BYTES } from './strangers.js';
import { UpsertParts } from './upsert-parts.js';
import { Watches } from './watches.js';

/** Frames that could not be read, before the peer is no longer listened to. */
const MAX_BAD_FRAMES = 64;

/**
 * One peer on the control channel. Whatever is wrong with a request is answered with a code and touches
 * nobody else.
 */
export class ControlConnection implements Peer {
  readonly context: ServerContext;
  readonly credential: Credential;
  readonly address: string;
  readonly connectedAtMs: number;
  readonly watches: Watches;
  readonly upsertParts = new UpsertParts();
  readonly claims = new Map<string, number>();
  readonly id: string;
  readonly url: string;
  readonly #transport: Transport;
  readonly #dialect: ControlDialect;
  #state: PeerState = 'new';
  #session: LiveSession | undefined;
  #stopSession: (() => void) | undefined;
  #frames = 0;
  #badFrames = 0;
  #wantsEvents = false;
  /** Once it has asked for files. */
  #runtime: RuntimeChannel | undefined;
  /** What this peer is told of when it changes. */
  #topology: { readonly look: () => string; last: string } | undefined;
  #moves = false;
  /** Why it is to be closed once all is answered. */
  #leaves: string | undefined;
  /** Requests that are not answered yet. What they change of the session is announced after their answers. */
  #unanswered = 0;
  #unannounced: Session | undefined;
  /** Why nothing is taken from the peer now: so many reasons. */
  #holds = 0;
  readonly #flow = { pause: () => this.#hold(), resume: () => this.#letGo() };
  readonly #known: (party: string) => void;
  #stopTimer: () => void;

  constructor(context: ServerContext, transport: Transport, options: Arrival) {
    this.context = context;
    this.id = options.id;
    this.address = options.address;
    this.credential = options.credential;
    this.connectedAtMs = context.clock.now();
    this.#transport = transport;
    this.url = options.url;
    this.#dialect = new ControlDialect(options.url, options.isOfFamily);
    this.#known = options.known;
    this.watches = new Watches(context.watchCounts);
    context.connections.add(this);
    context.metrics.connections.inc();
    this.#stopTimer = afterSilence(context, options, () => {
      if (this.#state === 'new' || this.#state === 'versioned') this.close(1008, 'No handshake in time.');
    });
    transport.onClose(() => this.#ended());
    transport.receive((message) => this.#receive(message));
  }

  get transport(): Transport {
    return this.#transport;
  }

  get state(): PeerState {
    return this.#state;
  }

  get session(): LiveSession {
    if (this.#session === undefined) throw new ProtocolFault('forbidden', 'This connection has no session.');
    return this.#session;
  }

  get files(): RuntimeChannel {
    const { runtime } = this.context;
    if (runtime === undefined) throw new ProtocolFault('unsupported_type', 'No files are served here.');
    return (this.#runtime ??= runtime(() => this.session));
  }

  enter(state: 'versioned' | 'bootstrap'): void {
    this.#state = state;
    if (state === 'bootstrap') this.stayAwhile();
  }

  stayAwhile(): void {
    if (this.#state !== 'bootstrap') return;
    const { clock, limits } = this.context;
    this.#stopTimer();
    this.#stopTimer = clock.after(limits.strangerTimeoutMs, () =>
      this.close(1008, 'Without a token, a connection ends when it has nothing more to say.'),
    );
  }

  proveNode(nodeId: string): void {
    this.#stopTimer();
    this.context.homes.note(nodeId, this.address);
    this.#known(`node ${nodeId}`);
  }

  becomeNode(): void {
    if (this.#state !== 'closed') this.#state = 'node';
  }

  wantEvents(): void {
    this.#wantsEvents = true;
  }

  get moves(): boolean {
    return this.#moves && this.#state !== 'closed';
  }

  movesByItself(): void {
    this.#moves = true;
  }

  goAway({ reason, withinMs, waitFor }: GoingAway): void {
    const closed = new Promise<void>((resolve) => this.#transport.onClose(() => resolve()));
    if (this.#wantsEvents) this.push('going_away', { reason, within_ms: withinMs });
    if (this.#moves) waitFor(closed);
    else {
      this.#leaves = reason;
      this.#leaveIfAnswered();
    }
  }

  #leaveIfAnswered(): void {
    if (this.#leaves !== undefined && this.#unanswered === 0) this.close(CLOSE_GOING_AWAY, this.#leaves);
  }

  useSession(sessionId: string): LiveSession {
    const session = this.context.store.sessions.use(sessionId);
    this.#leaveSession();
    this.#session = session;
    this.#state = 'session';
    this.#known(`token ${session.tokenId}`);
    this.#stopSession = session.changes.on((now) => this.#sessionChanged(now));
    for (const watch of this.watches.all) watch.moveTo(session.current);
    return session;
  }

  push<Name extends ControlEventName>(name: Name, payload: ControlPush<Name>): void {
    this.#send(controlRequest(`control.${name}`, undefined, payload));
  }

  pushFault(fault: ProtocolFault): void {
    this.#send(errorFrameFrom(fault, { channel: 'control' }));
  }

  follow(look: (() => string) | undefined): void {
    this.#topology = look && { look, last: look() };
    if (look !== undefined) this.context.watching.add(this);
  }

  pushText(frame: string): void {
    const text = this.#dialect.isTheirs ? frameWithServices(this.context.store, frame, this.#dialect) : frame;
    this.#transport.send(text);
  }

  pump(): void {
    this.#pumpTopology();
    for (const watch of this.watches.all) {
      try {
        watch.pump();
      } catch (thrown) {
        this.context.log.error('a watch failed', { connection: this.id, error: thrown });
        this.watches.end(watch.id);
      }
    }
  }

  #pumpTopology(): void {
    const topology = this.#topology;
    const now = topology?.look();
    if (topology === undefined || now === topology.last || now === undefined) return;
    topology.last = now;
    this.#transport.send(JSON.stringify(topologyEvent(this.context.clock.now())));
  }

  close(code: number, reason: string): void {
    this.#transport.close(code, reason);
    // A peer that does not answer the close does not keep us.
    this.context.clock.after(2_000, () => this.#transport.destroy());
  }

  #receive(message: Message): void {
    if (this.#state === 'closed') return;
    const isStranger = this.credential === undefined && this.#state !== 'node';
    if (isStranger) this.context.strangers.slow(this.#flow, ++this.#frames, this);
    let frame: Envelope;
    try {
      if (typeof message !== 'string')
        throw new ProtocolFault('invalid_envelope', 'Control frames are text.');
      frame = decodeEnvelope(
        message,
        isStranger ? MAX_STRANGER_FRAME_BYTES : MAX_CONTROL_FRAME_BYTES,
        MAX_CONTROL_FRAME_MARKS,
      );
    } catch (thrown) {
      this.#refuseFrame(ProtocolFault.from(thrown));
      return;
    }
    if (frame.channel === 'acheron') this.#answerAcheron(frame, message);
    else void this.#answer(frame);
    this.#relieve();
  }

  /** Files by fids, where they are served; `text` has fields that an envelope has not. */
  #answerAcheron(frame: AcheronEnvelope, text: string): void {
    const { runtime } = this.context;
    if (this.#state !== 'session' || runtime === undefined || !isRuntimeType(frame.type)) {
      this.#send(answerAcheron(frame, this.#state === 'session'));
      return;
    }
    void answerRuntime(this.files, JSON.parse(text) as JsonObject, frame).then((answer) =>
      this.#transport.send(JSON.stringify(answer)),
    );
  }

  async #answer(frame: ControlEnvelope): Promise<void> {
    const ownType = ownTypeOf(frame.type);
    const name = controlNameFromType(ownType);
    const talk =
      name && this.#dialect.ask(name, frame.payload as JsonObject | undefined, ownType !== frame.type);
    let outcome = 'ok';
    let isHeld = false;
    this.#unanswered++;
    try {
      if (name === undefined || talk === undefined)
        throw new ProtocolFault('unsupported_type', `There is no request "${frame.type}".`);
      const begun = connectUnasked(this, talk, this.#flow);
      if (begun !== undefined) await begun;
      admit(this, name);
      if (isTooDeep(frame.payload))
        throw new ProtocolFault('invalid_payload', 'The payload is nested too deep.');
      const payload = payloadOf(
        talk.payload === frame.payload ? frame : { ...frame, payload: talk.payload },
        controlMessage(name).request,
      );
      const { accessChanges } = this.context;
      const mark = accessChanges.mark;
      const handler = handlerFor<ControlName>(name);
      const answered = handler(this, payload as never);
      isHeld = answered instanceof Promise && isInOrder(name);
      if (isHeld) this.#hold();
      const reply = answered instanceof Promise ? await answered : answered;
      const settling = accessChanges.since(mark);
      if (settling !== undefined) await settling;
      const answer = talk.answered(reply);
      if (controlMessage(name).replyType === DEBUG_EVENT)
        this.#transport.send(JSON.stringify(debugReply(frame, this.context.clock.now(), answer)));
      else this.#send(controlReply(frame, answer, controlMessage(name).replyType ?? frame.type));
      if (name === 'node_service_watch') this.pump();
    } catch (thrown) {
      const fault = ProtocolFault.from(thrown);
      outcome = fault.code;
      if (fault.code === 'internal')
        this.context.log.error('a request failed', { type: frame.type, error: fault.cause ?? thrown });
      this.#send(errorFrameFrom(talk?.fault(fault) ?? fault, requestReferenceOf(frame)));
    }
    this.#unanswered--;
    this.#announce();
    if (isHeld) this.#letGo();
    this.#leaveIfAnswered();
    this.context.metrics.requests.inc({ type: name ?? 'unknown', outcome });
  }

  get isAdmin(): boolean {
    const current = this.#session?.current;
    return this.#state === 'session' && current?.revoked === false && current.role === 'admin';
  }

  requireAdmin(act: string): void {
    if (this.isAdmin) return;
    if (this.#session !== undefined) this.context.denials.note(this.#session.tokenId, { act, ...this.who() });
    throw new ProtocolFault('forbidden', 'Only admins may send this.');
  }

  who(): { session_id: string; role: string; agent_id: string | null; project_id: string | null } {
    const { current } = this.session;
    return {
      session_id: current.id,
      role: current.role,
      agent_id: current.agentId,
      project_id: current.project?.id ?? null,
    };
  }

  #refuseFrame(fault: ProtocolFault): void {
    this.context.metrics.requests.inc({ type: 'unreadable', outcome: fault.code });
    this.#send(errorFrameFromFault(fault, 'control'));
    if (++this.#badFrames >= MAX_BAD_FRAMES) this.close(1008, 'Too many frames that cannot be read.');
  }

  #send(frame: Envelope): void {
    this.#transport.send(encodeEnvelope(frame));
  }

  /** A peer that asks and does not read its answers is not read either. */
  #relieve(): void {
    if (this.#transport.bufferedBytes <= HIGH_WATER_BYTES) return;
    this.#hold();
    void this.#transport.drained().then(() => this.#letGo());
  }

  /** Takes no further request for now. */
  #hold(): void {
    if (this.#holds++ === 0) this.#transport.pause();
  }

  #letGo(): void {
    if (--this.#holds === 0) this.#transport.resume();
  }

  #sessionChanged(now: Session): void {
    if (this.#wantsEvents || this.watches.size > 0) this.#unannounced = now;
    if (now.revoked) this.watches.endAll();
    for (const watch of this.watches.all) watch.moveTo(now);
    this.#announce();
  }

  /** Pushes what the session has become, once no request waits for its answer: who asked is answered first. */
  #announce(): void {
    const now = this.#unannounced;
    if (now === undefined || this.#unanswered > 0) return;
    this.#unannounced = undefined;
    this.push('session_changed', {
      session: now.id,
      role: now.role,
      project_id: now.project?.id ?? null,
      project_verified: now.project?.verified ?? false,
      revoked: now.revoked,
    });
  }

  #leaveSession(): void {
    this.#stopSession?.();
    if (this.#session !== undefined) this.context.store.sessions.release(this.#session);
    this.#session = undefined;
  }

  #ended(): void {
    this.#state = 'closed';
    this.#stopTimer();
    this.#runtime?.end();
    this.watches.endAll();
    this.upsertParts.clear();
    this.context.metrics.connections.dec();
    this.#leaveSession();
    this.context.release(this);
  }
}
