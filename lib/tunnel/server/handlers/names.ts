import { FsError } from '../../../core/index.js';
import { ROOT_NODE } from '../../../protocol/index.js';
import { chain, namesOfPath, type Awaitable, type Node } from '../../../vfs/index.js';
import type { ServedOp } from '../served-op.js';
import type { ServedSession } from '../served-session.js';
import {
  asDir,
  describe,
  describeWhole,
  freshnessOfRoot,
  nodeOf,
  required,
  type Handlers,
} from './handler.js';

const RENAME_EXCHANGE = 2;

/** What finds, makes and removes names. */
export const nameHandlers = {
  lookup({ peer, frame, payload, op }) {
    const number = frame.node ?? ROOT_NODE;
    const node = peer.nodes.get(number).node;
    const names = payload.name === undefined ? namesOfPath(payload.path ?? required('name')) : [];
    const found =
      payload.name === undefined
        ? walkInto(peer, { number, node }, names, op)
        : stepInto(peer, { number, node }, payload.name, op);
    const name = payload.name ?? names.at(-1) ?? '/';
    return chain(found, (known) =>
      chain(describeWhole(known.number, known.node, op, payload.name !== undefined), (described) => ({
        payload: { name, ...described, ...freshnessOfRoot(peer, frame) },
      })),
    );
  },

  async mkdir({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    op.masked = payload.masked;
    const made = await asDir(node).mkdir(payload.name, (payload.perm ?? 0o755) & 0o7777, op);
    return { payload: await describe(peer.nodes.numberOf(made, number, payload.name, op.moment), made, op) };
  },

  async mknod({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    const directory = asDir(node);
    if (directory.mknod === undefined) throw new FsError('EPERM', 'Pipes and sockets cannot be made here.');
    op.masked = payload.masked;
    const mode = (payload.perm ?? 0o644) & 0o7777;
    const made = await directory.mknod(payload.name, payload.special, mode, op);
    return { payload: await describe(peer.nodes.numberOf(made, number, payload.name, op.moment), made, op) };
  },

  async unlink({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    await asDir(node).unlink(payload.name, op);
    peer.nodes.unlinked(number, payload.name);
    return { payload: {} };
  },

  async rmdir({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    await asDir(node).rmdir(payload.name, op);
    peer.nodes.unlinked(number, payload.name);
    return { payload: {} };
  },

  async rename({ peer, frame, payload, op }) {
    const toDir = asDir(peer.nodes.get(payload.to_node).node);
    const flags = payload.flags ?? 0;
    await asDir(nodeOf(peer, frame).node).rename(payload.name, toDir, payload.to_name, flags, op);
    if ((flags & RENAME_EXCHANGE) === 0) peer.nodes.unlinked(payload.to_node, payload.to_name);
    return { payload: {} };
  },

  async link({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    const target = peer.nodes.get(payload.target_node).node;
    const linked = await asDir(node).link(target, payload.name, op);
    return {
      payload: await describe(peer.nodes.numberOf(linked, number, payload.name, op.moment), linked, op),
    };
  },

  async symlink({ peer, frame, payload, op }) {
    const { number, node } = nodeOf(peer, frame);
    const made = await asDir(node).symlink(payload.name, payload.target, op);
    return { payload: await describe(peer.nodes.numberOf(made, number, payload.name, op.moment), made, op) };
  },

  async readlink({ peer, frame, op }) {
    const { node } = nodeOf(peer, frame);
    if (node.kind !== 'symlink') throw new FsError('EINVAL', 'This is not a symlink.');
    return { payload: { target: await node.readlink(op) } };
  },

  forget({ peer, payload }) {
    for (const number of payload.nodes) peer.nodes.forget(number);
    return { payload: {} };
  },
} satisfies Partial<Handlers>;

interface Numbered {
  readonly number: number;
  readonly node: Node;
}

function stepInto(peer: ServedSession, from: Numbered, name: string, op: ServedOp): Awaitable<Numbered> {
  return chain(asDir(from.node).lookup(name, op), (node) => ({
    number: peer.nodes.numberOf(node, from.number, name, op.moment),
    node,
  }));
}

async function walkInto(
  peer: ServedSession,
  from: Numbered,
  names: readonly string[],
  op: ServedOp,
): Promise<Numbered> {
  let at = from;
  for (const name of names) at = await stepInto(peer, at, name, op);
  return at;
}
