import type { FsMessageName, FsRequest } from '../../protocol/index.js';
import { openFlagsFrom } from '../../vfs/index.js';
import { onlyReads } from '../wire/deadlines.js';

/** Whether what it does may be pushed, now or when what it opens is closed; what does not may be asked twice. */
export function mayChange(name: FsMessageName, payload: FsRequest<FsMessageName>): boolean {
  if (name !== 'open') return !onlyReads(name);
  const { write, truncate } = openFlagsFrom((payload as FsRequest<'open'>).flags ?? 0);
  return write || truncate;
}
