import type { AcheronEnvelope } from '../../protocol/index.js';
import type { ServedSession } from './served-session.js';

const COST_OF_OPEN = 4096;

/** What an open may hold in memory: the first bytes that are to come with it. */
export function costOfOpen(frame: AcheronEnvelope): number {
  const inline = frame.payload?.['inline'];
  return COST_OF_OPEN + (typeof inline === 'number' ? Math.min(inline, 1024 * 1024) : 0);
}

/** What a read may hold in memory; a descriptor that may wait for its reply holds next to nothing. */
export function costOfRead(peer: ServedSession, frame: AcheronEnvelope): number {
  const handle = frame.h === undefined ? undefined : peer.handles.get(frame.h);
  const count = frame.payload?.['count'];
  return handle?.handle.direct === true || typeof count !== 'number'
    ? COST_OF_OPEN
    : Math.min(count, 1024 * 1024);
}
