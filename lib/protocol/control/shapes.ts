import * as z from 'zod';
import { ID_PATTERN, isId, isJsonObject, once, type JsonObject } from '../../core/index.js';

/** A node, service, project, agent or session name. */
export const wireId = z.string().regex(ID_PATTERN).refine(isId, 'not "." or ".."');
/** What a date can hold. */
export const wireMs = z.int().min(0).max(8_640_000_000_000_000);
export const wireText = z.string().max(1024);
/** A token or secret: shown once, never logged. */
export const wireSecret = z.string().min(1).max(1024);
export const wireJsonObject = z.custom<JsonObject>(isJsonObject, 'not an object');
/** What a machine says of itself before anybody knows it is kept to a few KB. */
const MAX_FACTS_BYTES = 4096;
const MAX_LABELS = 64;
const isSmall = (value: unknown): boolean => Buffer.byteLength(JSON.stringify(value)) <= MAX_FACTS_BYTES;
const TOO_LARGE = `larger than ${MAX_FACTS_BYTES} bytes`;

export const wireLabels = z
  .record(z.string().min(1).max(128), z.string().max(1024))
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `more than ${MAX_LABELS} labels`)
  .refine(isSmall, TOO_LARGE);
export const wirePlatform = z.union([wireJsonObject, wireText]).refine(isSmall, TOO_LARGE);
export const wireRole = z.enum(['admin', 'user']);
export const wireRevision = z.int().min(0);
export const nothing = z.object({});
/** Which part of a list is asked for: `after` is the `next` of the page before. */
export const pageRequest = z.object({
  limit: z.int().min(1).max(1000).optional(),
  after: wireText.optional(),
});
/** There is more where `next` is. */
export const page = z.object({ next: z.string().optional() });
export type PageRequest = z.infer<typeof pageRequest>;
export type Page = z.infer<typeof page>;

/** The senders that may send a message; the handler looks closer (what may be seen, which node it proves). */
export type Sender =
  /** Also an upgrade without a token: the way in. */
  | 'anyone'
  /** A connection that has proved a token or a node. */
  | 'connected'
  /** A session. */
  | 'session'
  /** An admin's session. */
  | 'admin'
  /** A sender that proves a node in the payload (`node_id` with `node_secret` or `lease_token`). */
  | 'node';

/** One request and its reply. */
export interface ControlMessage<Request extends z.ZodType = z.ZodType, Reply extends z.ZodType = z.ZodType> {
  readonly sender: Sender;
  /** One line for the reference in `docs/PROTOCOL.md`. */
  readonly about: string;
  readonly request: Request;
  readonly reply: Reply;
  /** The type of the reply, where it is not the request's own. */
  readonly replyType?: string;
}

/** The schemas are made when the first such message comes or goes: a command uses few of all. */
export function message<Request extends z.ZodType, Reply extends z.ZodType>(
  sender: Sender,
  about: string,
  makeRequest: () => Request,
  makeReply: () => Reply,
  replyType?: string,
): ControlMessage<Request, Reply> {
  const { request, reply } = { request: once(makeRequest), reply: once(makeReply) };
  return {
    sender,
    about,
    get request() {
      return request();
    },
    get reply() {
      return reply();
    },
    ...(replyType === undefined ? {} : { replyType }),
  };
}
