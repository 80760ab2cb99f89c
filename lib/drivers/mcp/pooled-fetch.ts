import { fetch } from 'undici';
import type { DriverContext } from '../driver-context.js';
import { PUBLIC_ALONE } from '../http/addresses.js';
import { httpPool } from '../http/http-pool.js';
import type { Fetch } from './bounded-fetch.js';

/** `fetch` over connections of its own, to addresses that services of this node may reach. */
export function pooledFetch({
  addresses = PUBLIC_ALONE,
  resolver,
}: Pick<DriverContext, 'addresses' | 'resolver'>): { fetch: Fetch; close(): Promise<void> } {
  const dispatcher = httpPool(addresses, resolver);
  return {
    // Its types and those of Node are two sets of names for one thing.
    fetch: (url, init) => fetch(url, { ...(init as object), dispatcher }),
    close: () => dispatcher.destroy(),
  };
}
