import { randomBytes } from 'node:crypto';
import { SipHash } from '../../core/index.js';

/** Above all numbers of `newIno`, and such that the whole is below 2^53: programs keep inode numbers in doubles. */
const EXPORTED = 1n << 52n;
const HASHED = EXPORTED | (1n << 51n);
const HASHED_BITS = 51;
const REGION_BITS = 32n;
const REGION_MASK = (1n << REGION_BITS) - 1n;
/** Filesystems that number their files from below have few regions; those whose numbers are hashes have one per file. */
const MAX_REGIONS = 65_536;

const secret = new SipHash(randomBytes(16));
/** By device, then by the upper half of the host's own number. */
const devices = new Map<number, Map<bigint, bigint>>();
let regions = 0n;

/**
 * The inode number that a file of the host is shown with. Within this process it is the same for the same file, and
 * another for each other one: each region of 2^32 numbers of a device has one here, in the order in which they were met.
 * (Beyond 65,536 regions it is a hash of 51 bits.)
 */
export function exportIno(dev: number, ino: bigint): bigint {
  let known = devices.get(dev);
  if (known === undefined) devices.set(dev, (known = new Map<bigint, bigint>()));
  const upper = ino >> REGION_BITS;
  let region = known.get(upper);
  if (region === undefined) {
    if (regions >= MAX_REGIONS) return HASHED | BigInt.asUintN(HASHED_BITS, hashOf(dev, ino));
    region = EXPORTED | (regions << REGION_BITS);
    regions += 1n;
    known.set(upper, region);
  }
  return region | (ino & REGION_MASK);
}

function hashOf(dev: number, ino: bigint): bigint {
  return secret.hashOf(secret.hashOf(BigInt(dev)) ^ ino);
}
