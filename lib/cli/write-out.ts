import { once } from 'node:events';

/** Writes to standard output, and waits while whoever reads it is slow. */
export async function writeOut(bytes: Uint8Array | string): Promise<void> {
  if (!process.stdout.write(bytes)) await once(process.stdout, 'drain');
}
