import { randomUUID } from 'node:crypto';
import { FsError, systemClock, type Clock, type JsonObject } from '../../core/index.js';
import {
  ACHERON_VERSION,
  DEFAULT_MSIZE,
  errorFrameFrom,
  errorFrameFromFault,
  FilesDialect,
  FS_MESSAGES,
  FS_PROTO,
  FS_PROTOCOL,
  fsErrorFromFrame,
  helloAnswered,
  isFamilyHello,
  ownHello,
  MAX_DATA_BYTES,
  MAX_READ_BYTES,
  MIN_MSIZE,
  payloadOf,
  ProtocolFault,
  requestReferenceOf,
  type AcheronEnvelope,
  type FsReply,
  type FsRequest,
} from '../../protocol/index.js';
import { CLOSE_POLICY, type Transport } from '../../transport/index.js';
import type { Awaitable } from '../../vfs/index.js';
import { FramePort, PLAIN, type FramingAgreement } from './frame-port.js';

/** How long each side waits for the other's part of the handshake. */
const HELLO_MS = 10_000;

export type Hello = FsRequest<'hello'>;

/** A connection on which both sides have said who they are. The transport is paused until somebody takes it. */
export interface Handshake {
  readonly port: FramePort;
  /** What the peer said of itself: the client's hello, or the server's answer to ours. */
  readonly hello: Hello;
  /** Names the peer's process: another one means that nothing known of it holds any longer. */
  readonly instance: string | undefined;
  /** The largest reply that a client asked for in `t_version`. */
  readonly msize: number;
}

export interface AcceptOptions {
  /**
   * Judges the peer's hello (its `auth_token`, or `node_id` with `node_secret`).
   * @throws FsError to turn it away; the peer gets the errno and the sentence, then is cut.
   */
  readonly authorize?: (hello: Hello) => Awaitable<void>;
  /** How long the peer may take. */
  readonly timeoutMs?: number;
  /** False: never agree to binary frames. */
  readonly binary?: boolean;
  readonly clock?: Clock;
}

/** This process, as the far side distinguishes it from others. */
export const OWN_INSTANCE = randomUUID();

/** What else we can, beside the framing. */
const OFFERS = { seek: true, special: true, uid: true, closes: true, await: true };

const ours = (binary: boolean): FramingAgreement & typeof OFFERS => ({
  binary,
  sequence: true,
  sync: true,
  ...OFFERS,
});

/**
 * Receives a peer: answers `t_version`, expects `t_fs_hello`, and turns away whatever else comes first.
 * @throws FsError EPROTO, ETIMEDOUT, EHOSTDOWN, or what `authorize` threw; the transport is then closed.
 */
export function acceptHello(transport: Transport, options: AcceptOptions = {}): Promise<Handshake> {
  const { authorize, timeoutMs = HELLO_MS, binary = true, clock = systemClock } = options;
  const port = new FramePort(transport, PLAIN);
  let msize = DEFAULT_MSIZE;
  return new Promise((resolve, reject) => {
    let busy = false;
    const turnAway = (thrown: unknown, frame: AcheronEnvelope | undefined): void => {
      settle();
      port.send(
        frame === undefined
          ? errorFrameFromFault(ProtocolFault.from(thrown), 'acheron')
          : errorFrameFrom(thrown, requestReferenceOf(frame)),
      );
      transport.close(CLOSE_POLICY, 'hello failed');
      reject(FsError.is(thrown) ? thrown : new FsError('EPROTO', ProtocolFault.from(thrown).message));
    };
    const settle = (): void => {
      stopTimer();
      stopClose();
    };
    const stopTimer = clock.after(timeoutMs, () => {
      turnAway(new FsError('ETIMEDOUT', 'acheron.t_fs_hello did not come in time.'), undefined);
    });
    const stopClose = transport.onClose(() => {
      stopTimer();
      reject(new FsError('EHOSTDOWN', 'The peer went away before it said who it is.'));
    });
    const accept = async (frame: AcheronEnvelope): Promise<void> => {
      const hello = payloadOf(ownHello(frame), FS_MESSAGES.hello.request);
      if (hello.protocol !== FS_PROTOCOL || hello.proto !== FS_PROTO)
        throw new FsError('EPROTO', `This server speaks ${FS_PROTOCOL}, proto ${FS_PROTO}.`, {
          hint: 'Both sides must be at most one minor version apart.',
        });
      transport.pause();
      await authorize?.(hello);
      settle();
      if (isFamilyHello((frame.payload ?? {}) as JsonObject)) port.speak(() => new FilesDialect());
      answerHello(port, frame, binary);
      port.framing = agreementOf(ours(binary), hello.capabilities);
      resolve({ port, hello, instance: hello.instance, msize });
    };
    port.receive({
      fault: (fault) => turnAway(fault, undefined),
      frame: (frame) => {
        if (busy) return;
        if (frame.channel === 'acheron' && frame.type === 'acheron.t_version') {
          msize = answerVersion(port, frame, msize);
          return;
        }
        if (frame.channel !== 'acheron' || frame.type !== 'acheron.t_fs_hello') {
          busy = true;
          const fault = new ProtocolFault('handshake_required', 'acheron.t_fs_hello must come first.');
          if (frame.channel === 'acheron') turnAway(fault, frame);
          else turnAway(fault.about(requestReferenceOf(frame)), undefined);
          return;
        }
        busy = true;
        accept(frame).catch((thrown: unknown) => {
          transport.resume();
          turnAway(thrown, frame);
        });
      },
    });
  });
}

/** Says who this side is, and what it can. */
export function answerHello(port: FramePort, frame: AcheronEnvelope, binary: boolean): void {
  const { tag } = frame;
  port.send({
    channel: 'acheron',
    type: 'acheron.r_fs_hello',
    ...(tag === undefined ? {} : { tag }),
    ok: true,
    payload: { ...helloReply(binary), ...helloAnswered(frame) },
  });
}

/** Answers `t_version`; returns the agreed msize, which is that of before where they do not agree. */
export function answerVersion(port: FramePort, frame: AcheronEnvelope, before: number): number {
  if (frame.version !== ACHERON_VERSION) {
    const fault = new ProtocolFault('unsupported_protocol', `This server speaks ${ACHERON_VERSION}.`);
    port.send(errorFrameFrom(fault, requestReferenceOf(frame)));
    return before;
  }
  const msize = Math.max(MIN_MSIZE, Math.min(frame.msize ?? DEFAULT_MSIZE, DEFAULT_MSIZE));
  port.send({
    channel: 'acheron',
    type: 'acheron.r_version',
    ...(frame.tag === undefined ? {} : { tag: frame.tag }),
    ok: true,
    msize,
    version: ACHERON_VERSION,
    payload: { msize, version: ACHERON_VERSION },
  });
  return msize;
}

function helloReply(binary: boolean): FsReply<'hello'> {
  return {
    protocol: FS_PROTOCOL,
    proto: FS_PROTO,
    instance: OWN_INSTANCE,
    capabilities: {
      ...ours(binary),
      moves: true,
      exports: true,
      read: true,
      write: true,
      max_read_bytes: MAX_READ_BYTES,
      max_write_bytes: MAX_DATA_BYTES,
    },
  };
}

function agreementOf(
  mine: FramingAgreement,
  theirs: Partial<FramingAgreement> | undefined,
): FramingAgreement {
  return {
    binary: mine.binary && theirs?.binary === true,
    sequence: mine.sequence && theirs?.sequence === true,
    sync: mine.sync && theirs?.sync === true,
  };
}

export interface DialOptions {
  /** A token, where the upgrade did not carry it. */
  readonly authToken?: string;
  /** The dialing node, where it is a node that offers its files. */
  readonly node?: { readonly id: string; readonly secret: string; readonly epoch?: number };
  /** The session that `control.connect` began, so that both connections are one session. */
  readonly session?: string;
  /** We know another server to go to when this one says that it goes away. */
  readonly moves?: boolean;
  readonly binary?: boolean;
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/**
 * Says hello on a connection that we made.
 * @throws FsError what the server answered; EPROTO, ETIMEDOUT or EHOSTDOWN; the transport is then closed.
 */
export function sendHello(transport: Transport, options: DialOptions = {}): Promise<Handshake> {
  const {
    authToken,
    node,
    session,
    moves = false,
    binary = true,
    timeoutMs = HELLO_MS,
    clock = systemClock,
  } = options;
  const port = new FramePort(transport, PLAIN);
  return new Promise((resolve, reject) => {
    const fail = (error: FsError): void => {
      stopTimer();
      stopClose();
      transport.close();
      reject(error);
    };
    const stopTimer = clock.after(timeoutMs, () => {
      fail(new FsError('ETIMEDOUT', 'The server did not answer hello in time.'));
    });
    const stopClose = transport.onClose(({ code, reason }) => {
      stopTimer();
      reject(
        new FsError('EHOSTDOWN', `The server closed the connection (${code} ${reason}).`.replace(' )', ')')),
      );
    });
    port.receive({
      fault: (fault) => fail(new FsError('EPROTO', `The server's answer cannot be read: ${fault.message}`)),
      frame: (frame) => {
        if (frame.channel !== 'acheron' || frame.tag !== 1) return;
        if (frame.type !== 'acheron.r_fs_hello') {
          fail(fsErrorFromFrame(frame));
          return;
        }
        const parsed = FS_MESSAGES.hello.reply.safeParse(frame.payload);
        if (!parsed.success || parsed.data.protocol !== FS_PROTOCOL || parsed.data.proto !== FS_PROTO) {
          fail(new FsError('EPROTO', `The server does not speak ${FS_PROTOCOL}, proto ${FS_PROTO}.`));
          return;
        }
        stopTimer();
        stopClose();
        transport.pause();
        const hello = parsed.data;
        port.framing = agreementOf(ours(binary), hello.capabilities);
        resolve({ port, hello, instance: hello.instance, msize: DEFAULT_MSIZE });
      },
    });
    const hello: Hello = {
      protocol: FS_PROTOCOL,
      proto: FS_PROTO,
      instance: OWN_INSTANCE,
      capabilities: { ...ours(binary), ...(moves ? { moves } : {}) },
      ...(authToken === undefined ? {} : { auth_token: authToken }),
      ...(session === undefined ? {} : { session }),
      ...(node === undefined ? {} : { node_id: node.id, node_secret: node.secret }),
      ...(node?.epoch === undefined ? {} : { epoch: node.epoch }),
    };
    port.send({ channel: 'acheron', type: 'acheron.t_fs_hello', tag: 1, payload: hello });
  });
}
