import type * as z from 'zod';
import { once } from '../../core/index.js';

/** One file request: what must stand beside `payload`, and both payloads. */
export interface FsMessage<Request extends z.ZodType = z.ZodType, Reply extends z.ZodType = z.ZodType> {
  /** The root field that says what it is about; two: either of them. */
  readonly root: readonly ('node' | 'h')[];
  readonly request: Request;
  readonly reply: Reply;
  /** One line for the reference in `docs/PROTOCOL.md`. */
  readonly about: string;
}

/** The schemas are made when the first such message comes or goes. */
export function message<Request extends z.ZodType, Reply extends z.ZodType>(
  root: FsMessage['root'],
  about: string,
  makeRequest: () => Request,
  makeReply: () => Reply,
): FsMessage<Request, Reply> {
  const { request, reply } = { request: once(makeRequest), reply: once(makeReply) };
  return {
    root,
    about,
    get request() {
      return request();
    },
    get reply() {
      return reply();
    },
  };
}
