import { FsError } from '../../core/index.js';
import { ROOT_NODE } from '../../protocol/index.js';
import { chain, namesOfPath, type Awaitable, type Node, type Op } from '../../vfs/index.js';
import type { ServedView } from '../served-view.js';
import { asDir, describe, freshnessOfRoot, nodeOf, required, type Handlers } from './handler.js';

/** What finds, makes and removes names. */
export const nameHandlers = {
  lookup({ view, frame, payload, op }) {
    const number = frame.node ?? ROOT_NODE;
    const node = view.nodes.get(number).node;
    const names = payload.name === undefined ? namesOfPath(payload.path ?? required('name')) : undefined;
    const found =
      names === undefined
        ? stepInto(view, { number, node }, payload.name!, op)
        : walkInto(view, { number, node }, names, op);
    const name = payload.name ?? names?.at(-1) ?? '/';
    return chain(found, (known) =>
      chain(describe(known.number, known.node, op), (described) => ({
        payload: { name, ...described, ...freshnessOfRoot(view, frame) },
      })),
    );
  },

  async mkdir({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    op.masked = payload.masked;
    const made = await asDir(node).mkdir(payload.name, (payload.perm ?? 0o755) & 0o7777, op);
    return { payload: await describe(view.nodes.numberOf(made, number, payload.name), made, op) };
  },

  async mknod({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const directory = asDir(node);
    if (directory.mknod === undefined) throw new FsError('EPERM', 'Pipes and sockets cannot be made here.');
    op.masked = payload.masked;
    const mode = (payload.perm ?? 0o644) & 0o7777;
    const made = await directory.mknod(payload.name, payload.special, mode, op);
    return { payload: await describe(view.nodes.numberOf(made, number, payload.name), made, op) };
  },

  async unlink({ view, frame, payload, op }) {
    await asDir(nodeOf(view, frame).node).unlink(payload.name, op);
    return { payload: {} };
  },

  async rmdir({ view, frame, payload, op }) {
    await asDir(nodeOf(view, frame).node).rmdir(payload.name, op);
    return { payload: {} };
  },

  async rename({ view, frame, payload, op }) {
    const toDir = asDir(view.nodes.get(payload.to_node).node);
    await asDir(nodeOf(view, frame).node).rename(
      payload.name,
      toDir,
      payload.to_name,
      payload.flags ?? 0,
      op,
    );
    return { payload: {} };
  },

  async link({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const target = view.nodes.get(payload.target_node).node;
    const linked = await asDir(node).link(target, payload.name, op);
    return { payload: await describe(view.nodes.numberOf(linked, number, payload.name), linked, op) };
  },

  async symlink({ view, frame, payload, op }) {
    const { number, node } = nodeOf(view, frame);
    const made = await asDir(node).symlink(payload.name, payload.target, op);
    return { payload: await describe(view.nodes.numberOf(made, number, payload.name), made, op) };
  },

  async readlink({ view, frame, op }) {
    const { node } = nodeOf(view, frame);
    if (node.kind !== 'symlink') throw new FsError('EINVAL', 'This is not a symlink.');
    return { payload: { target: await node.readlink(op) } };
  },

  forget({ view, payload }) {
    for (const number of payload.nodes) view.nodes.forget(number);
    return { payload: {} };
  },
} satisfies Partial<Handlers>;

interface Numbered {
  readonly number: number;
  readonly node: Node;
}

function stepInto(view: ServedView, from: Numbered, name: string, op: Op): Awaitable<Numbered> {
  return chain(asDir(from.node).lookup(name, op), (node) => ({
    number: view.nodes.numberOf(node, from.number, name),
    node,
  }));
}

async function walkInto(
  view: ServedView,
  from: Numbered,
  names: readonly string[],
  op: Op,
): Promise<Numbered> {
  let at = from;
  for (const name of names) at = await stepInto(view, at, name, op);
  return at;
}
