import { FsError } from '../../../core/index.js';
import type { WireEntry } from '../../../protocol/index.js';
import type { DirEntry, DirNode } from '../../../vfs/index.js';
import type { ServedOp } from '../served-op.js';
import type { ServedSession } from '../served-session.js';
import { asDir, describeWhole, freshnessOfRoot, nodeOf, type Handlers } from './handler.js';

/** How many entries of a directory are looked up side by side for `plus`. */
const LOOKUPS_AT_ONCE = 64;

/** What lists. */
export const directoryHandlers = {
  catalog({ payload, op, server: { catalog, limits } }) {
    if (catalog === undefined) throw new FsError('EOPNOTSUPP', 'There is no catalog here.');
    return { payload: catalog.page(op.session, payload, limits.replyBytes) };
  },

  async exports({ peer, op, server }) {
    const found = await server.exports(op);
    return {
      payload: {
        exports: found.map(({ name, node, ro, desc, sourceKind, sourceId, caps }) => ({
          name,
          root: peer.nodes.numberOf(node, 0, name, op.moment),
          ro,
          desc,
          source_kind: sourceKind,
          source_id: sourceId,
          caps: [...caps],
        })),
      },
    };
  },

  async readdirp({ peer, frame, payload, op, server }) {
    const { number, node } = nodeOf(peer, frame);
    const directory = asDir(node);
    const from = payload.cookie ?? 0;
    const kept = from === 0 ? undefined : peer.listing(number, op);
    const listing = kept ?? (await directory.list(op));
    const most = Math.max(1, Math.min(payload.count ?? 1000, 10_000));
    const page = listing.slice(from, from + most);
    const entries: WireEntry[] = [];
    let bytes = 512;
    for (let i = 0; i < page.length; i += LOOKUPS_AT_ONCE) {
      const some = page.slice(i, i + LOOKUPS_AT_ONCE);
      const described =
        payload.plus === true
          ? await Promise.all(some.map((entry) => describeEntry(peer, number, directory, entry, op)))
          : some.map(plainEntry);
      const room = described.findIndex((entry) => {
        bytes += entry === undefined ? 0 : JSON.stringify(entry).length * 3 + 1;
        return bytes > server.limits.replyBytes && entries.length > 0;
      });
      for (const entry of room === -1 ? described : described.slice(0, room))
        if (entry !== undefined) entries.push(entry);
      if (room === -1) continue;
      peer.keepListing(number, op, listing);
      return {
        payload: { entries, next: from + i + room, eof: false, ...freshnessOfRoot(peer, frame) },
      };
    }
    const next = from + page.length;
    const eof = next >= listing.length;
    if (eof) peer.dropListing(number, op);
    else peer.keepListing(number, op, listing);
    return { payload: { entries, next, eof, ...freshnessOfRoot(peer, frame) } };
  },
} satisfies Partial<Handlers>;

const plainEntry = ({ name, kind, special, ino }: DirEntry): WireEntry => ({
  ...{ name, kind, ino: String(ino) },
  ...(special === undefined ? {} : { special }),
});

/**
 * An entry with its node's number, and its attributes unless they differ at each look. One that went since
 * it was listed is left out.
 */
async function describeEntry(
  peer: ServedSession,
  parent: number,
  directory: DirNode,
  entry: DirEntry,
  op: ServedOp,
): Promise<WireEntry | undefined> {
  try {
    const node = entry.node ?? (await directory.lookup(entry.name, op));
    const number = peer.nodes.numberOf(node, parent, entry.name, op.moment);
    if (node.freshness === 'live') return { ...plainEntry(entry), node: number, freshness: 'live' };
    return { name: entry.name, ...(await describeWhole(number, node, op, entry.node === undefined)) };
  } catch (thrown) {
    const { code } = FsError.from(thrown);
    if (code === 'ENOENT' || code === 'ESTALE') return undefined;
    return plainEntry(entry);
  }
}
