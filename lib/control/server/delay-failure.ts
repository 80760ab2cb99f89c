import type { Peer } from './peer.js';

/** Waits as long as the address has earned by its failures. */
export function delayFailure({ context, address }: Peer): Promise<void> {
  return new Promise((resolve) => {
    context.throttle.failed(address, resolve, resolve);
  });
}
