import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import { TLSSocket } from 'node:tls';
import { reasonOf } from '../../core/index.js';

/** How a control plane says that it is. */
export interface AddressProbe {
  readonly url: string;
  /** `not ready`: it is there, and takes no connections now. */
  readonly state: 'ready' | 'not ready' | 'down';
  /** Why, in its own words or ours. */
  readonly reason: string | null;
  /** How far its clock is ahead of ours, as far as an answer tells: to a second. */
  readonly aheadMs?: number;
  /** The time of its certificate. */
  readonly certificate?: { readonly fromMs: number; readonly toMs: number };
}

const PROBE_MS = 3_000;
const MAX_REASON_CHARS = 200;

/** Asks the `/readyz` of a control plane at `ws://` or `wss://`. Never rejects. */
export function probeAddress(url: string, ca?: string): Promise<AddressProbe> {
  const address = `${url.replace(/^ws/, 'http').replace(/\/$/, '')}/readyz`;
  const get = address.startsWith('https:') ? getTls : getPlain;
  return new Promise((resolve) => {
    const facts: Pick<AddressProbe, 'aheadMs' | 'certificate'>[] = [];
    const answer = (state: AddressProbe['state'], reason: string | null): void =>
      resolve({ url, state, reason, ...facts[0] });
    const askedMs = Date.now();
    const request = get(
      address,
      { timeout: PROBE_MS, agent: false, ...(ca === undefined ? {} : { ca }) },
      (response) => {
        facts.push(factsOf(response, (askedMs + Date.now()) / 2));
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text = (text + part).slice(0, MAX_REASON_CHARS);
        });
        response.on('error', (thrown) => answer('down', reasonOf(thrown)));
        response.on('end', () => {
          if (response.statusCode === 200) answer('ready', null);
          else answer('not ready', text.trim() || `HTTP ${response.statusCode ?? 0}`);
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer in ${PROBE_MS} ms`)));
    request.on('error', (thrown) => answer('down', reasonOf(thrown)));
  });
}

function factsOf(
  { headers, socket }: IncomingMessage,
  atMs: number,
): Pick<AddressProbe, 'aheadMs' | 'certificate'> {
  const said = Date.parse(headers.date ?? '');
  // It says whole seconds: within the one that it says, nothing is known.
  const late = atMs - said;
  const aheadMs = late >= 0 && late < 1000 ? 0 : late < 0 ? -late : 1000 - late;
  const peer = socket instanceof TLSSocket ? socket.getPeerCertificate() : undefined;
  return {
    ...(Number.isNaN(said) ? {} : { aheadMs: Math.round(aheadMs) }),
    ...(peer?.valid_to === undefined
      ? {}
      : { certificate: { fromMs: Date.parse(peer.valid_from), toMs: Date.parse(peer.valid_to) } }),
  };
}
