import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Where a watch stands. `viewId` 0 is the whole log, as admins see it. */
export interface WatchPosition {
  readonly viewId: number;
  /** The revision (of the view) of the last event that was looked at. */
  readonly revision: number;
  /** How many events the watch was sent. */
  readonly seq: number;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const POSITION_BYTES = 24;
/** A revision and two ids. */
const MAX_TEXT_BYTES = 288;

/** Positions as text that reveals nothing and that only we can make. */
export class Cursors {
  readonly #key: Buffer;
  /** The last that was made: watchers that get one event mostly stand at the same place. */
  #last: { readonly position: WatchPosition; readonly text: string } | undefined;

  constructor(key: Buffer) {
    this.#key = key;
  }

  seal(position: WatchPosition): string {
    const { viewId, revision, seq } = position;
    const last = this.#last;
    if (last?.position.viewId === viewId && last.position.revision === revision && last.position.seq === seq)
      return last.text;
    const text = this.#make(position);
    this.#last = { position, text };
    return text;
  }

  /** The position, or undefined for a text that we did not make. */
  open(cursor: string): WatchPosition | undefined {
    const plain = this.#decrypt(cursor, POSITION_BYTES);
    if (plain === undefined) return undefined;
    return {
      viewId: Number(plain.readBigUInt64BE(0)),
      revision: Number(plain.readBigUInt64BE(8)),
      seq: Number(plain.readBigUInt64BE(16)),
    };
  }

  /** A text of up to `MAX_TEXT_BYTES`; what comes out is as long for all of them. */
  sealText(text: string): string {
    const plain = Buffer.alloc(MAX_TEXT_BYTES);
    plain.write(text);
    return this.#encrypt(plain);
  }

  /** The text, or undefined where we did not make it. */
  openText(sealed: string): string | undefined {
    const plain = this.#decrypt(sealed, MAX_TEXT_BYTES);
    return plain?.toString().replace(/\0+$/, '');
  }

  #make({ viewId, revision, seq }: WatchPosition): string {
    const plain = Buffer.alloc(POSITION_BYTES);
    plain.writeBigUInt64BE(BigInt(viewId), 0);
    plain.writeBigUInt64BE(BigInt(revision), 8);
    plain.writeBigUInt64BE(BigInt(seq), 16);
    return this.#encrypt(plain);
  }

  #encrypt(plain: Buffer): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    const parts = [iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(parts).toString('base64url');
  }

  #decrypt(text: string, plainBytes: number): Buffer | undefined {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length !== IV_BYTES + plainBytes + TAG_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(IV_BYTES + plainBytes));
    try {
      return Buffer.concat([
        decipher.update(bytes.subarray(IV_BYTES, IV_BYTES + plainBytes)),
        decipher.final(),
      ]);
    } catch {
      // The tag does not fit: not ours. Nothing else fails here.
      return undefined;
    }
  }
}
