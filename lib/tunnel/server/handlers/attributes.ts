import { FsError } from '../../../core/index.js';
import {
  bytesFromBase64,
  MAX_XATTR_BYTES,
  type AcheronEnvelope,
  type FsReply,
  type FsRequest,
} from '../../../protocol/index.js';
import { chain, type Op } from '../../../vfs/index.js';
import type { ServedSession } from '../served-session.js';
import { attributesFromStat, changeFromWire, wireFromStatFs } from '../../wire/wire-stat.js';
import { describe, nodeOf, NOTHING, type Handlers } from './handler.js';

/** The requests that read and change a node's attributes. */
export const attributeHandlers = {
  getattr({ peer, frame, op }) {
    if (frame.h !== undefined) {
      const { handle } = peer.handle(frame.h);
      return chain(handle.stat(op), (stat) => ({
        payload: attributesFromStat(stat, handle.direct ? 'live' : 'shared'),
      }));
    }
    const known = nodeOf(peer, frame);
    return chain(describe(known.number, known.node, op), (payload) => ({ payload }));
  },

  async setattr({ peer, frame, payload, op }) {
    return { payload: await setattr(peer, frame, payload, op) };
  },

  async truncate({ peer, frame, payload, op }) {
    return { payload: await setattr(peer, frame, { size: payload.size }, op) };
  },

  access({ peer, frame, payload, op }) {
    return chain(nodeOf(peer, frame).node.access(payload.mask & 7, op), () => NOTHING);
  },

  async statfs({ peer, frame, op }) {
    return { payload: wireFromStatFs(await nodeOf(peer, frame).node.statfs(op)) };
  },

  async getxattr({ peer, frame, payload, op }) {
    const value = await nodeOf(peer, frame).node.getxattr(payload.name, op);
    return { payload: { value_b64: Buffer.from(value).toString('base64') } };
  },

  async setxattr({ peer, frame, payload, op }) {
    const value = bytesOfValue(payload.value_b64);
    await nodeOf(peer, frame).node.setxattr(payload.name, value, payload.flags ?? 0, op);
    return { payload: {} };
  },

  async listxattr({ peer, frame, op }) {
    return { payload: { names: [...(await nodeOf(peer, frame).node.listxattr(op))] } };
  },

  async removexattr({ peer, frame, payload, op }) {
    await nodeOf(peer, frame).node.removexattr(payload.name, op);
    return { payload: {} };
  },
} satisfies Partial<Handlers>;

async function setattr(
  peer: ServedSession,
  frame: AcheronEnvelope,
  wire: FsRequest<'setattr'>,
  op: Op,
): Promise<FsReply<'setattr'>> {
  const change = changeFromWire(wire);
  if (frame.h !== undefined) {
    const served = peer.handle(frame.h);
    const stat = await served.inOrder(() => served.handle.setattr(change, op));
    return attributesFromStat(stat, served.handle.direct ? 'live' : 'shared');
  }
  const { number, node } = nodeOf(peer, frame);
  return { node: number, ...attributesFromStat(await node.setattr(change, op), node.freshness) };
}

function bytesOfValue(text: string): Uint8Array {
  const value = bytesFromBase64(text);
  if (value.byteLength > MAX_XATTR_BYTES) throw new FsError('E2BIG', 'The value is too long.');
  return value;
}
