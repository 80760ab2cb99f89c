import { FsError } from '../../../core/index.js';
import {
  ProtocolFault,
  ROOT_NODE,
  type AcheronEnvelope,
  type FsMessageName,
  type FsReply,
  type FsRequest,
  type WireNode,
} from '../../../protocol/index.js';
import {
  chain,
  type Awaitable,
  type DirNode,
  type FileNode,
  type Freshness,
  type Node,
  type Op,
} from '../../../vfs/index.js';
import type { CatalogSource } from '../catalog-source.js';
import type { ExportEntry } from '../exports-of-tree.js';
import type { FileLocks } from '../file-locks.js';
import type { KnownNode } from '../numbered-nodes.js';
import type { ServedHandle } from '../served-handle.js';
import type { ServedOp } from '../served-op.js';
import type { ServedSession } from '../served-session.js';
import { attributesFromStat } from '../../wire/wire-stat.js';

/** What all requests of one connection share. */
export interface Server {
  readonly limits: { readonly dataBytes: number; readonly replyBytes: number };
  readonly newHandle: () => number;
  readonly exports: (op: Op) => Awaitable<readonly ExportEntry[]>;
  readonly catalog: CatalogSource | undefined;
  readonly locks: FileLocks;
}

/** One request, as its handler sees it. */
export interface ServedRequest<Name extends FsMessageName> {
  readonly peer: ServedSession;
  readonly frame: AcheronEnvelope;
  readonly payload: FsRequest<Name>;
  readonly data: Uint8Array | undefined;
  readonly op: ServedOp;
  readonly server: Server;
}

export interface ServedReply<Payload> {
  readonly payload: Payload;
  /** Content, which travels raw or as `data_b64`. */
  readonly data?: Uint8Array;
  /** `data` is lent, as `Transport.send` says. */
  readonly onSpent?: (() => void) | undefined;
}

/** Answers without a promise where the tree does: most requests end in the turn in which they came. */
export type Handler<Name extends FsMessageName> = (
  request: ServedRequest<Name>,
) => Awaitable<ServedReply<FsReply<Name>>>;

export type ServedName = Exclude<FsMessageName, 'hello'>;

export type Handlers = { readonly [Name in ServedName]: Handler<Name> };

export const NOTHING = { payload: {} };

export function required(field: string): never {
  throw new ProtocolFault('missing_field', `The request has no ${field}.`);
}

export function nodeOf(peer: ServedSession, frame: AcheronEnvelope): KnownNode {
  return peer.nodes.get(frame.node ?? required('node'));
}

export function handleOf(peer: ServedSession, frame: AcheronEnvelope): ServedHandle {
  return peer.handle(frame.h ?? required('h'));
}

/** Nobody looked up the root, so an answer about it says how long it stays true. */
export function freshnessOfRoot(
  peer: ServedSession,
  frame: AcheronEnvelope,
): { dir?: Freshness } | undefined {
  if ((frame.node ?? ROOT_NODE) !== ROOT_NODE) return undefined;
  return { dir: peer.nodes.get(ROOT_NODE).node.freshness };
}

export function asDir(node: Node): DirNode {
  if (node.kind === 'dir') return node;
  throw new FsError('ENOTDIR', 'This is not a directory.');
}

export function asFile(node: Node): FileNode {
  if (node.kind === 'file') return node;
  throw node.kind === 'dir'
    ? new FsError('EISDIR', 'This is a directory.')
    : new FsError('ELOOP', 'This is a symlink; read it and look up where it points.');
}

/**
 * With that it has no extended attributes, where that is so: who lists files asks for some of each. `isFound`: it was
 * looked up this moment, and is shown as it was then.
 */
export function describeWhole(
  number: number,
  node: Node,
  op: Op,
  isFound: boolean,
): Awaitable<WireNode & { bare?: boolean }> {
  return chain((isFound ? node.cachedStat?.(op) : undefined) ?? node.stat(op), (stat) => {
    const described = { node: number, ...attributesFromStat(stat, node.freshness) };
    return node.freshness !== 'live' && node.isBare?.(op) === true ? { ...described, bare: true } : described;
  });
}

export function describe(number: number, node: Node, op: Op): Awaitable<WireNode> {
  return chain(node.stat(op), (stat) => ({ node: number, ...attributesFromStat(stat, node.freshness) }));
}
