import { systemClock, type Clock, type Emitter, type Log } from '../core/index.js';
import type { ConnectionState } from './reconnector.js';

/** Logs when a connection is lost, with the reason, and when it is back, with how long it was away. */
export function logConnection(
  states: Pick<Emitter<ConnectionState>, 'on'>,
  { name, log, clock = systemClock }: { readonly name: string; readonly log: Log; readonly clock?: Clock },
): void {
  let lostAt: number | null = null;
  let attempts = 0;
  states.on((state) => {
    if (state.state === 'backing-off') {
      attempts++;
      if (lostAt !== null) return;
      lostAt = clock.now();
      log.warn(`There is no connection to ${name}; it is tried again.`, { reason: state.error.message });
    } else if (state.state === 'open') {
      if (lostAt !== null)
        log.warn(`The connection to ${name} is back.`, { away_ms: clock.now() - lostAt, attempts });
      lostAt = null;
      attempts = 0;
    }
  });
}
