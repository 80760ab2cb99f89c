import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';
import { ERRNO } from '../../linux/index.js';
import {
  acheronError,
  asRefusedHello,
  MAX_CONTROL_FRAME_MARKS,
  decodeEnvelope,
  encodeEnvelope,
  errnoFromCode,
  MAX_CONTROL_FRAME_BYTES,
  ProtocolFault,
  requestReferenceOf,
  type Envelope,
  type RequestReference,
} from '../../protocol/index.js';
import { ForwardingTransport, type Message, type Transport } from '../../transport/index.js';
import type { LiveSession, SessionRecord } from '../store/sessions.js';
import { chain, type Awaitable } from '../../vfs/index.js';
import { answerAcheron } from './acheron-stub.js';
import { afterSilence, type Arrival } from './arrival.js';
import { nodeRefusal } from './node-authority.js';
import type { Credential } from './credential.js';
import type { ServerContext } from './server-context.js';
import type { AuthFailure } from './auth-failure-log.js';
import { MAX_STRANGER_FRAME_BYTES } from './strangers.js';

/**
 * A session's file connection, proved and handed over. Its `acheron.t_fs_hello` is the first message that
 * the transport delivers. `session.current` says at each operation what may be done; it is released when
 * the transport closes.
 */
export interface FilesConnection {
  readonly transport: Transport;
  readonly session: LiveSession;
  readonly address: string;
  /** The node whose tree was dialled, and nothing above it. */
  readonly nodeId: string | undefined;
}

export interface FilesOptions extends Arrival {
  readonly nodeId: string | undefined;
  readonly onFiles: ((files: FilesConnection) => void) | undefined;
}

const MAX_BAD_FRAMES = 16;

/** Listens on `/v2/fs` until the hello says who it is: a session's mount, or a node with its tunnel. */
export function greetFiles(context: ServerContext, transport: Transport, options: FilesOptions): void {
  const { throttle } = context;
  const stopTimer = afterSilence(context, options, () => transport.close(1008, 'No hello in time.'));
  transport.onClose(stopTimer);
  let frames = 0;
  let badFrames = 0;
  let refused = false;
  const answer = (frame: Envelope): void => transport.send(encodeEnvelope(frame));
  const onMessage = (message: Message): void => {
    if (refused) return;
    const isStranger = options.credential === undefined;
    if (isStranger) context.strangers.slow(transport, ++frames, options);
    let frame: Envelope | undefined;
    try {
      if (typeof message !== 'string')
        throw new ProtocolFault('handshake_required', 'Send acheron.t_fs_hello first.');
      frame = decodeEnvelope(
        message,
        isStranger ? MAX_STRANGER_FRAME_BYTES : MAX_CONTROL_FRAME_BYTES,
        MAX_CONTROL_FRAME_MARKS,
      );
      if (frame.channel === 'acheron' && frame.type === 'acheron.t_version') {
        answer(answerAcheron(frame, true));
        return;
      }
      if (frame.channel !== 'acheron' || frame.type !== 'acheron.t_fs_hello')
        throw new ProtocolFault('handshake_required', 'Send acheron.t_fs_hello first.');
      const hello = isJsonObject(frame.payload) ? frame.payload : {};
      const adopt = authenticate(context, options, hello);
      const proved = (take: (transport: Transport) => void): void => {
        stopTimer();
        take(new ReplayTransport(transport, message));
      };
      if (!(adopt instanceof Promise)) {
        proved(adopt);
        return;
      }
      transport.pause();
      const asked = frame;
      adopt
        .finally(() => transport.resume())
        .then(proved)
        .catch((thrown: unknown) => failed(thrown, asked));
    } catch (thrown) {
      failed(thrown, frame);
    }
  };
  const failed = (thrown: unknown, frame: Envelope | undefined): void => {
    const fault = ProtocolFault.from(thrown);
    const reference = frame === undefined ? fault.request : requestReferenceOf(frame);
    const refuse = (): void => answer(refusalFrame(fault, reference));
    if (fault.code === 'provider_auth_failed') {
      refused = true;
      context.authFailures.note(refusalOf(context, options.address, frame));
      const end = (): void => {
        refuse();
        transport.close(1008, 'Not authenticated.');
      };
      throttle.failed(options.address, end, end);
      return;
    }
    if (fault.code === 'internal')
      context.log.error('a file connection failed', { error: fault.cause ?? thrown });
    refuse();
    if (++badFrames >= MAX_BAD_FRAMES || fault.code === 'stale_epoch') transport.close(1008, fault.message);
  };
  transport.receive(onMessage);
}

/** Proves the sender of the hello, and says what is to be done with the connection. */
function authenticate(
  context: ServerContext,
  options: FilesOptions,
  hello: JsonObject,
): Awaitable<(transport: Transport) => void> {
  const text = (key: string): string | undefined => textOf(hello, key);
  const nodeId = text('node_id');
  const nodeSecret = text('node_secret');
  const { store } = context;
  if (nodeId !== undefined && nodeSecret !== undefined)
    return chain(
      store.findAnywhere(() => store.nodes.secretIs(nodeId, nodeSecret) || undefined),
      (isProved) => {
        if (isProved !== true) throw notAuthenticated();
        return tunnelOf(context, options, hello, nodeId);
      },
    );
  const token = text('auth_token');
  const verified =
    options.credential ??
    (token === undefined
      ? undefined
      : store.findAnywhere(() => store.tokens.verify(token) ?? context.filesSessions.verify(token)));
  return chain(verified, (credential) => mountOf(context, options, credential, text('session')));
}

/** A node that has proved itself opens its tunnel. */
function tunnelOf(
  context: ServerContext,
  options: FilesOptions,
  hello: JsonObject,
  nodeId: string,
): (transport: Transport) => void {
  const { epoch: current, holder } = context.store.nodes.require(nodeId);
  const epoch = ownValue(hello, 'epoch') ?? current;
  if (epoch !== current) {
    throw new ProtocolFault('stale_epoch', `Another connection of node "${nodeId}" took over.`, {
      details: { node_id: nodeId, current_epoch: current, successor: holder },
    });
  }
  return (transport) => {
    options.known(`tunnel ${nodeId}`);
    const capabilities = ownValue(hello, 'capabilities');
    const moves = isJsonObject(capabilities) && ownValue(capabilities, 'moves') === true;
    context.tunnels.open({ nodeId, epoch: current, transport, moves });
  };
}

/** Whoever has a token uses a session of it: the one that he names, or a new one. */
function mountOf(
  { store }: ServerContext,
  options: FilesOptions,
  credential: Credential,
  named: string | undefined,
): Awaitable<(transport: Transport) => void> {
  if (credential === undefined) throw notAuthenticated();
  const { onFiles, address, nodeId: root } = options;
  if (onFiles === undefined) throw new ProtocolFault('unavailable', 'This control plane serves no files.');
  const { sessions } = store;
  const wanted = named ?? credential.sessionId;
  const adopt = (record: SessionRecord | undefined) => {
    const isOther = credential.sessionId !== undefined && credential.sessionId !== record?.sessionId;
    if (isOther || record?.tokenId !== credential.record.tokenId || record.closedAtMs !== null)
      throw new ProtocolFault('not_found', `There is no session "${wanted ?? ''}".`);
    return (transport: Transport): void => {
      options.known(`token ${credential.record.tokenId}`);
      const session = sessions.use(record.sessionId);
      transport.onClose(() => sessions.release(session));
      onFiles({ transport, session, address, nodeId: root });
    };
  };
  if (store.replicas === undefined || (wanted !== undefined && sessions.get(wanted) !== undefined))
    return adopt(
      wanted === undefined ? sessions.create(credential.record, credential.hash) : sessions.get(wanted),
    );
  if (wanted !== undefined) return store.catchUp().then(() => adopt(sessions.get(wanted)));
  return chain(
    store.actLightly(() => sessions.create(credential.record, credential.hash)),
    adopt,
  );
}

/** File requests are refused with an errno too, as everywhere on this endpoint. */
function refusalFrame(fault: ProtocolFault, request: RequestReference): Envelope {
  const refusal = acheronError(fault, { ...request, channel: 'acheron' });
  if (request.type?.startsWith('acheron.t_fs_') !== true) return refusal;
  const errno = ERRNO[errnoFromCode(fault.code)];
  return asRefusedHello({ ...refusal, type: 'acheron.err_fs', error: { ...refusal.error, errno } });
}

/** The proof that failed: of a node its secret, of anybody else a token. */
function refusalOf(context: ServerContext, address: string, frame: Envelope | undefined): AuthFailure {
  const nodeId = frame?.payload === undefined ? undefined : ownValue(frame.payload as JsonObject, 'node_id');
  if (typeof nodeId !== 'string') return { act: 'login', address, reason: 'bad_token' };
  return nodeRefusal(context, address, nodeId);
}

function textOf(hello: JsonObject, key: string): string | undefined {
  const value: JsonValue | undefined = ownValue(hello, key);
  return typeof value === 'string' ? value : undefined;
}

function notAuthenticated(): ProtocolFault {
  return new ProtocolFault('provider_auth_failed', 'No valid token or node secret.');
}

/** A transport of which the first message was read already: it is delivered again to its next user. */
class ReplayTransport extends ForwardingTransport {
  #first: Message | undefined;
  #receiver: ((message: Message) => void) | undefined;

  constructor(inner: Transport, first: Message) {
    super(inner);
    this.#first = first;
  }

  override receive(receiver: (message: Message) => void): void {
    this.#receiver = receiver;
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) receiver(first);
    // The first message may have made the receiver hand over to another, which is in place already.
    if (this.#receiver === receiver) super.receive(receiver);
  }
}
