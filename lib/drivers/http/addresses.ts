import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { FsError } from '../../core/index.js';

/** Which addresses of this machine's networks services may reach by HTTP, besides public ones. */
export interface AddressRules {
  allows(address: string): boolean;
}

/** Names for ranges that an operator may allow. */
const NAMED = new Map<string, readonly string[]>([
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['all', ['0.0.0.0/0', '::/0']],
]);

/** What IANA's registries of special addresses keep from the public (RFC 6890), multicast and reserved ones too. */
const SPECIAL_IPV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24'],
  ...['192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
];
const PUBLIC_IPV6 = ['2000::/3'];
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '3fff::/20'];
/** Prefixes of 96 bits (6to4: of 16) after which an IPv4 address stands, which counts. */
const WITH_IPV4 = [
  { range: '::ffff:0:0/96', at: 6 },
  { range: '64:ff9b::/96', at: 6 },
  { range: '2002::/16', at: 1 },
];

const makeLists = () => ({
  specialIpv4: listOf(SPECIAL_IPV4),
  publicIpv6: listOf(PUBLIC_IPV6),
  specialIpv6: listOf(SPECIAL_IPV6),
  withIpv4: WITH_IPV4.map(({ range, at }) => ({ list: listOf([range]), at })),
});
let made: ReturnType<typeof makeLists> | undefined;
/** Made when an address is first looked at: most nodes never do. */
const lists = (): ReturnType<typeof makeLists> => (made ??= makeLists());

/**
 * Public addresses, and those of `ranges`: names (`loopback`, `private`, `link-local`, `all`), addresses, or ranges
 * as `10.0.0.0/8`.
 * @throws FsError EINVAL for what is none of these
 */
export function addressRules(ranges: readonly string[]): AddressRules {
  const allowed = listOf(ranges.flatMap((range) => NAMED.get(range) ?? [range]));
  const allows = (address: string): boolean => {
    const inner = ipv4Within(address);
    if (inner !== null) return allows(inner);
    const { specialIpv4, publicIpv6, specialIpv6 } = lists();
    if (isIPv4(address)) return !specialIpv4.check(address) || allowed.check(address);
    const bare = address.split('%')[0] ?? '';
    if (!isIPv6(bare)) return false;
    const isPublic = publicIpv6.check(bare, 'ipv6') && !specialIpv6.check(bare, 'ipv6');
    return isPublic || allowed.check(bare, 'ipv6');
  };
  return { allows };
}

/** Where nobody has allowed more. */
export const PUBLIC_ALONE: AddressRules = addressRules([]);

/** The IPv4 address that an IPv6 address stands for; null for every other. */
function ipv4Within(address: string): string | null {
  const bare = address.split('%')[0] ?? '';
  if (!isIPv6(bare)) return null;
  const found = lists().withIpv4.find(({ list }) => list.check(bare, 'ipv6'));
  if (found === undefined) return null;
  const [high = 0, low = 0] = groupsOf(bare).slice(found.at, found.at + 2);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

/** The eight numbers of an IPv6 address. */
function groupsOf(address: string): number[] {
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [before = [], after = []] = text
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''))
    .map((groups) => groups.map((group) => parseInt(group, 16)));
  const zeros = text.includes('::') ? 8 - before.length - after.length : 0;
  return [...before, ...Array<number>(zeros).fill(0), ...after];
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits, ...more] = range.split('/');
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
    const most = family === 'ipv4' ? 32 : 128;
    const prefix = bits === undefined ? most : /^\d+$/.test(bits) ? Number(bits) : NaN;
    if (family === null || more.length > 0 || !(prefix <= most))
      throw new FsError('EINVAL', `${JSON.stringify(range)} is no range of addresses.`, {
        hint: 'Write an address, a range such as 10.0.0.0/8, or one of loopback, private, link-local, all.',
      });
    list.addSubnet(address, prefix, family);
  }
  return list;
}
