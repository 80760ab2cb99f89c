import { Errno, type Filesystem, type LockIn } from '../kernel/index.js';
import type { OwnedLock } from './lock-ranges.js';
import type { MountState } from './mount-state.js';

const EAGAIN = Errno.of(11);

/** fcntl(2) and flock(2) on files; the kernel itself keeps those on directories. */
export function lockHandlers(s: MountState): Pick<Filesystem, 'getlk' | 'setlk'> {
  return {
    getlk(_nodeid, fh, lock, call) {
      s.op(call);
      if (lock.kind === 'none') return undefined;
      return s.locks.inTheWay(s.file(fh).ref.node.ino, owned(lock, lock.kind, fh));
    },

    setlk(_nodeid, fh, lock, waits, call) {
      s.op(call);
      const { ino } = s.file(fh).ref.node;
      const table = lock.flock ? s.flocks : s.locks;
      if (lock.kind === 'none') {
        table.unlock(ino, lock);
        return undefined;
      }
      const wanted = owned(lock, lock.kind, fh);
      if (lock.flock && table.holdsOther(ino, wanted)) table.unlock(ino, lock); // as flock(2) converts
      if (table.tryLock(ino, wanted)) return undefined;
      return waits ? table.lock(ino, wanted, call.signal) : EAGAIN;
    },
  };
}

function owned({ owner, start, end, pid }: LockIn, kind: OwnedLock['kind'], fh: number): OwnedLock {
  return { owner, start, end, pid, kind, fh };
}
