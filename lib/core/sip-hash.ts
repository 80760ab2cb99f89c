/**
 * SipHash-2-4 (Aumasson, Bernstein 2012) of one 64-bit word: a keyed hash that is quick for short input. Who
 * does not know the key can neither foresee a value nor find two inputs that meet.
 */
export class SipHash {
  /** The key: two words of 64 bits, each as a low and a high half. */
  readonly #lowA: number;
  readonly #highA: number;
  readonly #lowB: number;
  readonly #highB: number;

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.#lowA = view.getInt32(0, true);
    this.#highA = view.getInt32(4, true);
    this.#lowB = view.getInt32(8, true);
    this.#highB = view.getInt32(12, true);
  }

  /** The 64 bits as one number, never negative. */
  hashOf(word: bigint): bigint {
    const low = Number(word & 0xffff_ffffn) | 0;
    const high = Number((word >> 32n) & 0xffff_ffffn) | 0;
    return this.hash(low, high, (l, h) => (BigInt(h >>> 0) << 32n) | BigInt(l >>> 0));
  }

  /** Hands the low and high 32 bits of the hash of the word with these low and high 32 bits to `take`. */
  hash<Taken>(low: number, high: number, take: (low: number, high: number) => Taken): Taken {
    // Four words of 64 bits, each as a low and a high half.
    let al = this.#lowA ^ 0x70736575;
    let ah = this.#highA ^ 0x736f6d65;
    let bl = this.#lowB ^ 0x6e646f6d;
    let bh = this.#highB ^ 0x646f7261;
    let cl = this.#lowA ^ 0x6e657261;
    let ch = this.#highA ^ 0x6c796765;
    let dl = this.#lowB ^ 0x79746573;
    let dh = this.#highB ^ 0x74656462;
    for (let i = 0; i < 8; i++) {
      // Two rounds for the word, two for the length (8 bytes, in the last byte), four at the end.
      if (i === 0) {
        dl ^= low;
        dh ^= high;
      } else if (i === 2) {
        al ^= low;
        ah ^= high;
        dh ^= 0x0800_0000;
      } else if (i === 4) {
        ah ^= 0x0800_0000;
        cl ^= 0xff;
      }
      let sum = (al >>> 0) + (bl >>> 0);
      al = sum | 0;
      ah = (ah + bh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      let half = ((bl << 13) | (bh >>> 19)) ^ al;
      bh = ((bh << 13) | (bl >>> 19)) ^ ah;
      bl = half;
      half = al;
      al = ah;
      ah = half;
      sum = (cl >>> 0) + (dl >>> 0);
      cl = sum | 0;
      ch = (ch + dh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      half = ((dl << 16) | (dh >>> 16)) ^ cl;
      dh = ((dh << 16) | (dl >>> 16)) ^ ch;
      dl = half;
      sum = (al >>> 0) + (dl >>> 0);
      al = sum | 0;
      ah = (ah + dh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      half = ((dl << 21) | (dh >>> 11)) ^ al;
      dh = ((dh << 21) | (dl >>> 11)) ^ ah;
      dl = half;
      sum = (cl >>> 0) + (bl >>> 0);
      cl = sum | 0;
      ch = (ch + bh + (sum > 0xffff_ffff ? 1 : 0)) | 0;
      half = ((bl << 17) | (bh >>> 15)) ^ cl;
      bh = ((bh << 17) | (bl >>> 15)) ^ ch;
      bl = half;
      half = cl;
      cl = ch;
      ch = half;
    }
    return take(al ^ bl ^ cl ^ dl, ah ^ bh ^ ch ^ dh);
  }
}
