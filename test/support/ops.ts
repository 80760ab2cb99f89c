import { localSession, type Session } from '../../lib/policy/index.js';
import type { OpenFlags, Op } from '../../lib/vfs/index.js';

export const READ: OpenFlags = { read: true, write: false, append: false, truncate: false, exclusive: false };
export const WRITE: OpenFlags = { ...READ, read: false, write: true };

/** A request of `session` that nobody abandons. */
export const op = (session: Session = localSession('admin')): Op => ({
  session,
  signal: new AbortController().signal,
});
