import { get as getPlain } from 'node:http';
import { get as getTls } from 'node:https';
import { FsError } from '../../core/index.js';

/** How a control plane says that it is. */
export interface AddressProbe {
  readonly url: string;
  /** `not ready`: it is there, and takes no connections now. */
  readonly state: 'ready' | 'not ready' | 'down';
  /** Why, in its own words or ours. */
  readonly reason: string | null;
}

const PROBE_MS = 3_000;
const MAX_REASON_CHARS = 200;

/** Asks the `/readyz` of a control plane at `ws://` or `wss://`. Never rejects. */
export function probeAddress(url: string, ca?: string): Promise<AddressProbe> {
  const address = `${url.replace(/^ws/, 'http').replace(/\/$/, '')}/readyz`;
  const get = address.startsWith('https:') ? getTls : getPlain;
  return new Promise((resolve) => {
    const answer = (state: AddressProbe['state'], reason: string | null): void =>
      resolve({ url, state, reason });
    const request = get(
      address,
      { timeout: PROBE_MS, agent: false, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text = (text + part).slice(0, MAX_REASON_CHARS);
        });
        response.on('error', (thrown) => answer('down', FsError.from(thrown).message));
        response.on('end', () => {
          if (response.statusCode === 200) answer('ready', null);
          else answer('not ready', text.trim() || `HTTP ${response.statusCode ?? 0}`);
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer in ${PROBE_MS} ms`)));
    request.on('error', (thrown) => answer('down', thrown.message));
  });
}
