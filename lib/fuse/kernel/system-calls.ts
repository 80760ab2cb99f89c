import koffi from 'koffi';

/**
 * read(2), write(2), ioctl(2) and sched_yield(2) as they are. `node:fs` makes an exception of EAGAIN, which costs ten
 * times the call, and is slower on the way as well.
 */
const libc = koffi.load(null);
const read = libc.func('long read(int fd, void *into, size_t count)') as (
  fd: number,
  into: Buffer,
  count: number,
) => number;
const write = libc.func('long write(int fd, void *from, size_t count)') as (
  fd: number,
  from: Buffer,
  count: number,
) => number;

const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (
  fd: number,
  request: number,
  argument: Buffer,
) => number;

const schedYield = libc.func('int sched_yield()') as () => number;

export interface SystemCalls {
  /** @returns how many bytes came; 0 at the end; -1 where it failed, or nothing waits (EAGAIN). */
  read(fd: number, into: Buffer): number;
  /** Sends the first `count` bytes of `from`. @returns 0, or the errno. */
  write(fd: number, from: Buffer, count: number): number;
  /** @returns what the device answers, or the errno below zero. */
  ioctl(fd: number, request: number, argument: Buffer): number;
  /** Lets others run first that wait for this processor: the caller that is looked for may be one. */
  yieldProcessor(): void;
}

export const systemCalls: SystemCalls = {
  read: (fd, into) => read(fd, into, into.byteLength),
  write: (fd, from, count) => (write(fd, from, count) < 0 ? koffi.errno() : 0),
  ioctl: (fd, request, argument) => {
    const answer = ioctl(fd, request, argument);
    return answer < 0 ? -koffi.errno() : answer;
  },
  yieldProcessor: () => void schedYield(),
};
