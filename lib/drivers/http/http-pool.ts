import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector } from 'undici';
import { FsError } from '../../core/index.js';
import type { AddressRules } from './addresses.js';

const CONNECT_MS = 10_000;
/** How long an idle connection is kept, where the server does not say. */
const KEEP_ALIVE_MS = 10_000;

/** How a host name becomes addresses; for tests another than the system's. */
export type Resolver = typeof lookup;

/**
 * Connections that are kept between calls, to addresses that `rules` allow alone: looked at when a connection is made, of
 * the very addresses that it is made to, so that no name can stand for one address when it is checked and for another
 * afterwards.
 */
export function httpPool(rules: AddressRules, resolver: Resolver = lookup): Agent {
  const connect = buildConnector({
    timeout: CONNECT_MS,
    lookup: guardedLookup(rules, resolver),
    autoSelectFamily: true,
  });
  return new Agent({
    // Calls have a time of their own, and end by it.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: (options, callback) => {
      const host = options.hostname.replace(/^\[(.*)\]$/, '$1');
      // No name is looked up for an address.
      if (isIP(host) !== 0 && !rules.allows(host)) return callback(refused(host, host), null);
      connect(options, (error, socket) => {
        if (error !== null) return callback(error, null);
        const { remoteAddress } = socket;
        if (remoteAddress === undefined || rules.allows(remoteAddress)) return callback(null, socket);
        socket.destroy();
        callback(refused(host, remoteAddress), null);
      });
    },
  });
}

function guardedLookup(rules: AddressRules, resolver: Resolver): LookupFunction {
  return (hostname, options, callback) => {
    resolver(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const allowed = addresses.filter(({ address }) => rules.allows(address));
      const [first] = allowed;
      if (first === undefined) callback(refused(hostname, addresses[0]?.address ?? ''), []);
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function refused(host: string, address: string): FsError {
  const what = host === address ? `The address ${address}` : `${host} is at ${address}, which`;
  return new FsError(
    'EACCES',
    `${what} is not a public address, and this node does not let services reach it.`,
    {
      hint: `Whoever runs the node can allow it: --allow-private ${address} (or a range, or loopback, private, link-local).`,
    },
  );
}
