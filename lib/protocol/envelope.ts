import * as z from 'zod';
import { isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import { hasMoreMarks } from './json-marks.js';
import { MAX_TOKEN_CHARS } from './limits.js';
import { ProtocolFault, type RequestReference } from './protocol-fault.js';
import { quickCheck } from './quick-check.js';

/** What a peer sent is quoted in an error up to so many letters. */
const MOST_DETAIL = 200;

const wireInteger = z.int().min(0);
const payload = z.custom<Record<string, unknown>>(isJsonObject, 'not an object');

/** What every frame of the channel "control" is: `{channel, type, id?, payload?}`, replies with `ok`. */
export const controlEnvelope = z.object({
  channel: z.literal('control'),
  type: z.string().max(MAX_TOKEN_CHARS).startsWith('control.'),
  id: z.string().max(MAX_TOKEN_CHARS).optional(),
  ok: z.boolean().optional(),
  payload: payload.optional(),
  error: payload.optional(),
});

/** What every frame of the channel "acheron" is: the fields that stand beside `payload` are here. */
export const acheronEnvelope = z.object({
  channel: z.literal('acheron'),
  type: z.string().max(MAX_TOKEN_CHARS).startsWith('acheron.'),
  tag: wireInteger.optional(),
  ok: z.boolean().optional(),
  node: wireInteger.optional(),
  h: wireInteger.optional(),
  fid: wireInteger.optional(),
  msize: wireInteger.optional(),
  version: z.string().max(MAX_TOKEN_CHARS).optional(),
  /** The session on whose behalf a relayed request is made; only a control plane may set it. */
  s: z.string().max(MAX_TOKEN_CHARS).optional(),
  /**
   * The user whom the caller asks to act as in exports of the node's machine, where the peer said `capabilities.uid`; the
   * export decides.
   */
  uid: wireInteger.optional(),
  /** The frame's number in its direction, from 1, where both sides said `capabilities.sequence`. */
  n: wireInteger.optional(),
  payload: payload.optional(),
  error: payload.optional(),
});

export type ControlEnvelope = z.infer<typeof controlEnvelope>;
export type AcheronEnvelope = z.infer<typeof acheronEnvelope>;
export type Envelope = ControlEnvelope | AcheronEnvelope;

/**
 * The envelope in `text`, of at most `maxMarks` commas, colons and opening brackets. Fields that it does not know are dropped; what stands in `payload` is passed on
 * unchecked (the message's own schema is next) and may hold any own key, `__proto__` included: look at it
 * through a schema or `ownValue`.
 * @throws ProtocolFault `frame_too_large`, `invalid_envelope`, `missing_field` or `unsupported_type`;
 *   nothing else.
 */
export function decodeEnvelope(text: string, maxBytes: number, maxMarks = Infinity): Envelope {
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes))
    throw new ProtocolFault('frame_too_large', `A frame may have at most ${maxBytes} bytes.`);
  if (hasMoreMarks(text, maxMarks))
    throw new ProtocolFault(
      'frame_too_large',
      `A frame may have at most ${maxMarks} commas, colons and opening brackets outside of strings.`,
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolFault('invalid_envelope', 'The frame is not JSON.');
  }
  return envelopeFromValue(value);
}

/** The same, of a value that was parsed before. */
export function envelopeFromValue(value: unknown): Envelope {
  if (quickCheck(acheronEnvelope, value) || quickCheck(controlEnvelope, value)) return value as Envelope;
  if (!isJsonObject(value)) throw new ProtocolFault('invalid_envelope', 'The frame is not a JSON object.');
  const channel = ownValue(value, 'channel');
  for (const field of ['channel', 'type'] as const) {
    if (ownValue(value, field) === undefined)
      throw new ProtocolFault('missing_field', `The frame has no ${JSON.stringify(field)}.`, {
        request: referenceOf(value),
      });
  }
  if (channel !== 'control' && channel !== 'acheron')
    throw new ProtocolFault('invalid_envelope', 'The channel is neither "control" nor "acheron".', {
      request: referenceOf(value),
    });
  const type = ownValue(value, 'type');
  if (typeof type === 'string' && !type.startsWith(`${channel}.`))
    throw new ProtocolFault('unsupported_type', `Types on this channel begin with "${channel}.".`, {
      request: referenceOf(value),
    });
  const parsed = (channel === 'control' ? controlEnvelope : acheronEnvelope).safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ProtocolFault('invalid_envelope', sentenceFromIssues('The frame', parsed.error), {
    request: referenceOf(value),
  });
}

/** As much of a broken frame as is needed to answer it. */
function referenceOf(value: JsonObject): RequestReference {
  const channel = ownValue(value, 'channel');
  const type = ownValue(value, 'type');
  const id = ownValue(value, 'id');
  const tag = ownValue(value, 'tag');
  return {
    ...(channel === 'control' || channel === 'acheron' ? { channel } : {}),
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof id === 'string' && id.length <= MAX_TOKEN_CHARS ? { id } : {}),
    ...(typeof tag === 'number' && Number.isSafeInteger(tag) && tag >= 0 ? { tag } : {}),
  };
}

/** `frame` as text. */
export function encodeEnvelope(frame: Envelope): string {
  return JSON.stringify(frame);
}

/**
 * The payload of `frame`, checked by its message's schema; an absent payload counts as an empty one.
 * @throws ProtocolFault `missing_field` or `invalid_payload`, about this request.
 */
export function payloadOf<Schema extends z.ZodType>(frame: Envelope, schema: Schema): z.infer<Schema> {
  const payload = frame.payload ?? {};
  if (quickCheck(schema, payload)) return payload as z.infer<Schema>;
  const parsed = schema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const request = requestReferenceOf(frame);
  const missing = parsed.error.issues.find(
    (issue) => issue.code === 'invalid_type' && isMissing(frame.payload, issue.path),
  );
  throw missing === undefined
    ? new ProtocolFault('invalid_payload', sentenceFromIssues(`The payload of ${frame.type}`, parsed.error), {
        request,
      })
    : new ProtocolFault('missing_field', `The payload of ${frame.type} has no ${missing.path.join('.')}.`, {
        request,
      });
}

export function requestReferenceOf(frame: Envelope): RequestReference {
  return frame.channel === 'control'
    ? { channel: 'control', type: frame.type, ...(frame.id === undefined ? {} : { id: frame.id }) }
    : { channel: 'acheron', type: frame.type, ...(frame.tag === undefined ? {} : { tag: frame.tag }) };
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const key of path) {
    if (at === undefined) return true;
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return true;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at === undefined;
}

/** The first thing that a schema found wrong, as a sentence; values are not repeated (they may be secret). */
function sentenceFromIssues(what: string, error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return `${what} is not valid.`;
  const where =
    issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.').slice(0, MOST_DETAIL)}`;
  return `${what} is not valid${where}: ${issue.message.slice(0, MOST_DETAIL)}.`;
}

/** A request, or a message that is pushed, on the control channel. */
export function controlRequest(type: string, id: string | undefined, body?: object): ControlEnvelope {
  return {
    channel: 'control',
    type,
    ...(id === undefined ? {} : { id }),
    ...(body === undefined ? {} : { payload: body as Record<string, unknown> }),
  };
}

/** The answer to `request` when it went well; its type is the request's unless another is given. */
export function controlReply(request: ControlEnvelope, body: object, type = request.type): ControlEnvelope {
  return {
    channel: 'control',
    type,
    ...(request.id === undefined ? {} : { id: request.id }),
    ok: true,
    payload: body as Record<string, unknown>,
  };
}
