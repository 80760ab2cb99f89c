import * as z from 'zod';
import type { JsonObject } from '../../core/index.js';
import { ProtocolFault, type RequestReference } from '../protocol-fault.js';

/**
 * Files as the family's shell client asks for them on the control channel's own socket: fids that are walked to a path,
 * opened, read, written and clunked, as in 9P. Everything stands at the root of the frame, answers in `payload`.
 */

const wireNumber = z.int().min(0);
const MAX_NAMES = 64;
const MAX_NAME_CHARS = 1024;

const request = z.object({
  type: z.string(),
  tag: wireNumber.optional(),
  fid: wireNumber.optional(),
  newfid: wireNumber.optional(),
  /** Of `t_walk`: the names on the way, from where `fid` is. */
  path: z.array(z.string().max(MAX_NAME_CHARS)).max(MAX_NAMES).optional(),
  mode: z.enum(['r', 'w', 'rw']).optional(),
  offset: wireNumber.optional(),
  count: wireNumber.optional(),
  data_b64: z.base64().optional(),
  correlation_id: z.string().max(MAX_NAME_CHARS).optional(),
});
export type RuntimeRequest = z.infer<typeof request>;

/** What each needs, besides `fid`. */
const NEEDS = new Map<string, readonly (keyof RuntimeRequest)[]>([
  ['acheron.t_attach', []],
  ['acheron.t_walk', ['newfid']],
  ['acheron.t_open', []],
  ['acheron.t_read', []],
  ['acheron.t_write', ['data_b64']],
  ['acheron.t_stat', []],
  ['acheron.t_clunk', []],
  ['acheron.t_flush', []],
]);

export function isRuntimeType(type: string): boolean {
  return NEEDS.has(type);
}

/** A request of such a type. @throws ProtocolFault `invalid_payload`, `missing_field` */
export function runtimeRequestFrom(frame: JsonObject, reference: RequestReference): RuntimeRequest {
  const parsed = request.safeParse(frame);
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    const where = first?.path.map(String).join('.') ?? '';
    throw new ProtocolFault('invalid_payload', `The frame is not valid at ${where}.`, { request: reference });
  }
  for (const field of NEEDS.get(parsed.data.type) ?? [])
    if (parsed.data[field] === undefined)
      throw new ProtocolFault('missing_field', `The frame has no ${field}.`, { request: reference });
  return parsed.data;
}

/** The answer to a request: `r_` for `t_`. */
export function runtimeReply({ type, tag, fid }: RuntimeRequest, payload: object): object {
  return {
    channel: 'acheron',
    type: type.replace('acheron.t_', 'acheron.r_'),
    ...(tag === undefined ? {} : { tag }),
    ok: true,
    ...(fid === undefined ? {} : { fid }),
    payload,
  };
}

/** What a fid stands for. */
export function qidOf(ino: bigint, kind: string): { readonly path: number; readonly type: string } {
  return { path: Number(BigInt.asUintN(53, ino)), type: kind };
}
