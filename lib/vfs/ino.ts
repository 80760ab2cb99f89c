import { createHash, randomBytes } from 'node:crypto';
import { SipHash } from '../core/index.js';

const ROUNDS = 6;
const order = new SipHash(randomBytes(16));
let made = 0;

/**
 * A new inode number, never used before in this process. Numbers lie between 2^32 and 2^33, so they cannot
 * meet the kernel's root (1) or those of an export or a peer, which have spaces of their own (`exportIno`,
 * `PeerInos`). They come in an order that nobody can predict: what lies between two of them is no count of
 * things that a session may not see.
 */
export function newIno(): bigint {
  return (1n << 32n) | BigInt(shuffled(made++));
}

/** A permutation of the 32-bit numbers that only this process knows: a Feistel network. */
function shuffled(count: number): number {
  let left = (count >>> 16) & 0xffff;
  let right = count & 0xffff;
  for (let i = 0; i < ROUNDS; i++) {
    const mixed = left ^ order.hash(right, i, (low) => low & 0xffff);
    left = right;
    right = mixed;
  }
  return ((left << 16) | right) >>> 0;
}

/**
 * Our inode numbers for the things of one peer. A peer says what number a thing has, and nothing that it says
 * gives the thing the number of another's: ours follow from its numbers by a key that nobody else knows.
 * The same thing has the same number as long as the peer's process is the same, across connections.
 */
export class PeerInos {
  readonly #secret = randomBytes(32);
  #hash = new SipHash(this.#secret);

  /** What numbers mean from now on: another process of the peer gives them anew. */
  useInstance(instance: string): void {
    this.#hash = new SipHash(createHash('sha256').update(this.#secret).update(instance).digest());
  }

  /** Bit 63 is set, which no number of ours has. */
  inoOf(theirs: bigint): bigint {
    return this.#hash.hashOf(theirs) | (1n << 63n);
  }
}

const SAFE = 1n << 53n;
const SHOWN_BITS = 52;

/**
 * The number that stat(2) shows for an inode number of ours: below 2^53, since programs keep it in a double.
 * Different things keep different numbers, but for a chance of one in 2^52 for things of peers.
 */
export function shownIno(ino: bigint): bigint {
  return ino < SAFE ? ino : (1n << BigInt(SHOWN_BITS)) | BigInt.asUintN(SHOWN_BITS, ino);
}
