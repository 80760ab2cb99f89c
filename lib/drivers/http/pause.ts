import type { Clock } from '../../core/index.js';
import type { CancelSignal } from '../cancel.js';
import { errorFromAbort } from '../outcome.js';

/** Waits; @throws the reason of `stop` where that comes first */
export function pause(ms: number, stop: CancelSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stop.aborted) return reject(errorFromAbort(stop));
    const onAbort = (): void => {
      callOff();
      reject(errorFromAbort(stop));
    };
    const callOff = clock.after(ms, () => {
      stop.removeEventListener('abort', onAbort);
      resolve();
    });
    stop.addEventListener('abort', onAbort, { once: true });
  });
}
