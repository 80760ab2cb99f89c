import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { FsError } from '../core/index.js';
import { CLOSE_POLICY, type Message, type Transport } from '../transport/index.js';

/** Where replicas of a control plane connect to each other. */
export const RELAY_PATH = '/v2/relay';

/** Before the other side has proved itself, it may send no more. */
export const MAX_PROOF_BYTES = 4096;
const PROOF_MS = 2_000;

const id = z.string().min(1).max(128);
const nonce = z.string().regex(/^[0-9a-f]{64}$/);
const mac = z.string().regex(/^[0-9a-f]{64}$/);
const greeting = z.object({ relay: z.literal(1), id, nonce });
const claim = z.object({ id, to: id, nonce, mac });
const answer = z.object({ mac });

export interface RelayIdentity {
  /** The same at all replicas, and nowhere else. */
  readonly key: Uint8Array;
  /** This replica. */
  readonly selfId: string;
  /**
   * What both ends of this very connection know and nobody between them does (TLS exporter); empty without TLS. By it a certificate
   * that nobody has signed does as well as any other.
   */
  readonly binding: string;
}

/**
 * Proves to the replica at the far end that we are one too, and has it prove the same.
 * @throws FsError EACCES where it is none, or not `peerId`; EHOSTDOWN, ETIMEDOUT; the transport is cut then
 */
export async function proveAsCaller(
  transport: Transport,
  { key, selfId, binding }: RelayIdentity,
  peerId: string,
): Promise<void> {
  await withMessages(transport, async (next) => {
    const greeted = await next(greeting);
    if (greeted.id !== peerId)
      throw new FsError('EACCES', `Replica ${peerId} was called, and ${greeted.id} answered.`);
    const own = randomBytes(32).toString('hex');
    const said = [selfId, peerId, own, greeted.nonce, binding];
    transport.send(JSON.stringify({ id: selfId, to: peerId, nonce: own, mac: macOf(key, 'caller', said) }));
    const { mac: theirs } = await next(answer);
    if (!isEqual(theirs, macOf(key, 'called', said))) throw notProved();
  });
}

/**
 * The same for who was called; answers who called.
 * @throws FsError as `proveAsCaller`
 */
export async function proveAsCalled(
  transport: Transport,
  { key, selfId, binding }: RelayIdentity,
): Promise<string> {
  return withMessages(transport, async (next) => {
    const own = randomBytes(32).toString('hex');
    transport.send(JSON.stringify({ relay: 1, id: selfId, nonce: own }));
    const claimed = await next(claim);
    const said = [claimed.id, selfId, claimed.nonce, own, binding];
    const isRight = claimed.to === selfId && isEqual(claimed.mac, macOf(key, 'caller', said));
    if (!isRight) throw notProved();
    transport.send(JSON.stringify({ mac: macOf(key, 'called', said) }));
    return claimed.id;
  });
}

function macOf(key: Uint8Array, side: 'caller' | 'called', said: readonly string[]): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['acheron relay 1', side, ...said]))
    .digest('hex');
}

const isEqual = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

function notProved(): FsError {
  return new FsError('EACCES', 'The other side is no replica of this control plane.', {
    hint: 'Replicas must use one store, and reach each other without a proxy in between (--advertise).',
  });
}

type Next = <Shape>(schema: z.ZodType<Shape>) => Promise<Shape>;

/** Runs `talk` with the messages that come; whatever it throws, the transport is cut. Paused afterwards. */
async function withMessages<Result>(
  transport: Transport,
  talk: (next: Next) => Promise<Result>,
): Promise<Result> {
  const inbox: Message[] = [];
  let wake: (() => void) | undefined;
  let failure: FsError | undefined;
  const fail = (error: FsError): void => {
    failure ??= error;
    wake?.();
  };
  const timer = setTimeout(
    () => fail(new FsError('ETIMEDOUT', 'The other replica did not answer in time.')),
    PROOF_MS,
  );
  const stop = transport.onClose(({ code }) =>
    fail(code === CLOSE_POLICY ? notProved() : new FsError('EHOSTDOWN', 'The other replica has hung up.')),
  );
  transport.receive((message) => {
    inbox.push(message);
    // What comes next may be for another receiver.
    transport.pause();
    wake?.();
  });
  const next: Next = async (schema) => {
    while (inbox.length === 0) {
      if (failure !== undefined) throw failure;
      transport.resume();
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- resuming may have brought one
      if (inbox.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    }
    const message = inbox.shift();
    if (typeof message !== 'string' || message.length > MAX_PROOF_BYTES) throw notProved();
    const parsed = schema.safeParse(jsonOf(message));
    if (!parsed.success) throw notProved();
    return parsed.data;
  };
  try {
    return await talk(next);
  } catch (thrown) {
    // The other side is to know that it is not a matter of the network.
    if (FsError.from(thrown).code === 'EACCES') transport.close(CLOSE_POLICY, 'This is no replica.');
    else transport.destroy();
    throw thrown;
  } finally {
    clearTimeout(timer);
    stop();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
