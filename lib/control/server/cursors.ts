import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Where a watch stands. `viewId` 0 is the whole log, as admins see it. */
export interface WatchPosition {
  readonly viewId: number;
  /** The revision (of the view) of the last event that was looked at. */
  readonly revision: number;
  /** How many events the watch was sent. */
  readonly seq: number;
}

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
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length !== 12 + 24 + 16) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, 12));
    decipher.setAuthTag(bytes.subarray(36));
    try {
      const plain = Buffer.concat([decipher.update(bytes.subarray(12, 36)), decipher.final()]);
      return {
        viewId: Number(plain.readBigUInt64BE(0)),
        revision: Number(plain.readBigUInt64BE(8)),
        seq: Number(plain.readBigUInt64BE(16)),
      };
    } catch {
      // The tag does not fit: not ours. Nothing else fails here.
      return undefined;
    }
  }

  #make({ viewId, revision, seq }: WatchPosition): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
    const plain = Buffer.alloc(24);
    plain.writeBigUInt64BE(BigInt(viewId), 0);
    plain.writeBigUInt64BE(BigInt(revision), 8);
    plain.writeBigUInt64BE(BigInt(seq), 16);
    return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString(
      'base64url',
    );
  }
}
