import { FsError } from '../../core/index.js';
import {
  bytesFromBase64,
  MAX_XATTR_BYTES,
  type AcheronEnvelope,
  type FsReply,
  type FsRequest,
} from '../../protocol/index.js';
import { chain, type Op } from '../../vfs/index.js';
import type { ServedView } from '../served-view.js';
import { attributesFromStat, changeFromWire, wireFromStatFs } from '../wire-stat.js';
import { describe, nodeOf, NOTHING, type Handlers } from './handler.js';

/** What tells of a node, and changes what is told. */
export const attributeHandlers = {
  getattr({ view, frame, op }) {
    if (frame.h !== undefined) {
      const { handle } = view.handle(frame.h);
      return chain(handle.stat(op), (stat) => ({
        payload: attributesFromStat(stat, handle.direct ? 'live' : 'shared'),
      }));
    }
    const known = nodeOf(view, frame);
    return chain(describe(known.number, known.node, op), (payload) => ({ payload }));
  },

  async setattr({ view, frame, payload, op }) {
    return { payload: await setattr(view, frame, payload, op) };
  },

  async truncate({ view, frame, payload, op }) {
    return { payload: await setattr(view, frame, { size: payload.size }, op) };
  },

  access({ view, frame, payload, op }) {
    return chain(nodeOf(view, frame).node.access(payload.mask & 7, op), () => NOTHING);
  },

  async statfs({ view, frame, op }) {
    return { payload: wireFromStatFs(await nodeOf(view, frame).node.statfs(op)) };
  },

  async getxattr({ view, frame, payload, op }) {
    const value = await nodeOf(view, frame).node.getxattr(payload.name, op);
    return { payload: { value_b64: Buffer.from(value).toString('base64') } };
  },

  async setxattr({ view, frame, payload, op }) {
    const value = bytesOfValue(payload.value_b64);
    await nodeOf(view, frame).node.setxattr(payload.name, value, payload.flags ?? 0, op);
    return { payload: {} };
  },

  async listxattr({ view, frame, op }) {
    return { payload: { names: [...(await nodeOf(view, frame).node.listxattr(op))] } };
  },

  async removexattr({ view, frame, payload, op }) {
    await nodeOf(view, frame).node.removexattr(payload.name, op);
    return { payload: {} };
  },
} satisfies Partial<Handlers>;

async function setattr(
  view: ServedView,
  frame: AcheronEnvelope,
  wire: FsRequest<'setattr'>,
  op: Op,
): Promise<FsReply<'setattr'>> {
  const change = changeFromWire(wire);
  if (frame.h !== undefined) {
    const served = view.handle(frame.h);
    const stat = await served.inOrder(() => served.handle.setattr(change, op));
    return attributesFromStat(stat, served.handle.direct ? 'live' : 'shared');
  }
  const { number, node } = nodeOf(view, frame);
  return { node: number, ...attributesFromStat(await node.setattr(change, op), node.freshness) };
}

function bytesOfValue(text: string): Uint8Array {
  const value = bytesFromBase64(text);
  if (value.byteLength > MAX_XATTR_BYTES) throw new FsError('E2BIG', 'The value is too long.');
  return value;
}
