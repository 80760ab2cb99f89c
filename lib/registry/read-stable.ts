import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { MAX_MANIFEST_BYTES } from '../manifest/index.js';

/** Distinguishes one content of a path from another without reading it. */
export type Signature = string;

/** The signature of what is at `path` now. Rejects when there is nothing. */
export async function signatureOf(path: string): Promise<Signature> {
  return signatureFrom(await stat(path, { bigint: true }));
}

/** When the file was last changed, ms since the epoch, by a signature. */
export function changeTimeOf(signature: Signature): number | undefined {
  const nanoseconds = /:(\d+)$/.exec(signature)?.[1];
  return nanoseconds === undefined ? undefined : Number(BigInt(nanoseconds) / 1_000_000n);
}

function signatureFrom(stats: {
  dev: bigint;
  ino: bigint;
  size: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}): Signature {
  return [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':');
}

/**
 * The whole content of a file whose signature is `expected` before and after the reading; undefined when it
 * is changing. Larger files than a manifest may be are cut one byte beyond the limit. Nothing but regular
 * files is read (undefined text), and opening never blocks.
 */
export async function readStable(
  path: string,
  expected: Signature,
): Promise<{ bytes: Uint8Array | null } | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const before = await file.stat({ bigint: true });
    if (signatureFrom(before) !== expected) return undefined;
    if (!before.isFile()) return { bytes: null };
    const bytes = await readAtMost(file, MAX_MANIFEST_BYTES + 1);
    return signatureFrom(await file.stat({ bigint: true })) === expected ? { bytes } : undefined;
  } finally {
    await file.close();
  }
}

async function readAtMost(file: FileHandle, limit: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(limit);
  let length = 0;
  while (length < limit) {
    const { bytesRead } = await file.read(buffer, length, limit - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return new Uint8Array(buffer.subarray(0, length));
}
