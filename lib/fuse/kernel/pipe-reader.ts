import { Socket, type SocketConstructorOpts } from 'node:net';
import { BusyPoll } from './busy-poll.js';
import { isUnmounted, READ_BUFFER_BYTES, type Reader } from './reader.js';
import type { SystemCalls } from './system-calls.js';

interface PipeHandle {
  open(fd: number): number | undefined;
  close(closed?: () => void): void;
}
interface PipeWrap {
  readonly Pipe: new (type: number) => PipeHandle;
  readonly constants: { readonly SOCKET: number };
}

/** Node's own wrapper of `uv_pipe_t` (DEP0111: internal, and refused under --permission). */
function pipeWrap(): PipeWrap | undefined {
  try {
    const { binding } = process as unknown as { binding?: (name: string) => Partial<PipeWrap> };
    const found = binding?.call(process, 'pipe_wrap');
    if (typeof found?.Pipe !== 'function' || typeof found.constants?.SOCKET !== 'number') return undefined;
    return found as PipeWrap;
  } catch {
    // Refused under --permission: a thread reads, then.
    return undefined;
  }
}

/** Whether this Node has, and allows, what the pipe reader takes. */
export function hasPipeReader(): boolean {
  return pipeWrap() !== undefined;
}

/** How long requests may be taken one after the other, before everything else in the process has its turn. */
const TURN_MS = 1;

/**
 * Lets libuv wait for /dev/fuse as for a socket: one thread, no wake-ups of others. Sets O_NONBLOCK.
 * Once there are `calls`, what else waits is taken without going back to libuv.
 * @throws Error where the handle does not take the descriptor.
 */
export function pipeReader(fd: number): Reader {
  const wrap = pipeWrap();
  if (wrap === undefined) throw new Error('This Node has no pipe_wrap binding.');
  const handle = new wrap.Pipe(wrap.constants.SOCKET);
  if ((handle.open(fd) ?? 0) !== 0) throw new Error('A pipe handle does not take /dev/fuse.');
  const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  const busyPoll = new BusyPoll();
  let socket: Socket | undefined;
  let known: SystemCalls | undefined;
  return {
    kind: 'pipe',
    bufferBytes: READ_BUFFER_BYTES,
    start(onRequest, onEnd) {
      /** Takes what waits and what comes at once, as long as each is answered at once: promises want their turn. */
      const drain = (calls: SystemCalls, start: number): void => {
        for (let now = start; now - start <= TURN_MS;) {
          const length = calls.read(fd, buffer);
          if (length > 0) {
            if (!onRequest(buffer, length) || reading.destroyed) return;
            busyPoll.answered((now = performance.now()));
          } else {
            if (!busyPoll.goesOn((now = performance.now()))) return;
            calls.yieldProcessor();
          }
        }
      };
      const callback = (length: number): boolean => {
        if (known === undefined) {
          onRequest(buffer, length);
          return true;
        }
        busyPoll.wakes(performance.now());
        if (!onRequest(buffer, length) || reading.destroyed) return true;
        const now = performance.now();
        busyPoll.answered(now);
        drain(known, now);
        return true;
      };
      const close = handle.close.bind(handle);
      handle.close = (closed) => void onEnd().then(() => close(closed));
      socket = new Socket({
        handle,
        readable: true,
        writable: false,
        allowHalfOpen: true,
        onread: { buffer, callback },
      } as SocketConstructorOpts);
      const reading = socket;
      return new Promise((resolve) => {
        let failure: Error | undefined;
        reading.on('error', (error) => {
          if (!isUnmounted(error)) failure = error;
        });
        reading.on('close', () => resolve(failure));
        reading.on('end', () => reading.destroy());
        reading.resume();
      });
    },
    use: (calls) => (known = calls),
    stop: () => void socket?.destroy(),
  };
}
