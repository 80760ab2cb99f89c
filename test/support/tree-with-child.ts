import { spawn } from 'node:child_process';
import type { Vfs } from '../../lib/vfs/index.js';
import { Document } from '../../lib/vfs/index.js';
import { createMemoryVfs } from './memory-vfs.js';

/** A tree whose `/start` starts a program and shows its pid. */
export function createTreeWithChild(): Vfs {
  const vfs = createMemoryVfs(true);
  let pid: number | undefined;
  const start = (): number => (pid ??= spawn('sleep', ['60'], { stdio: 'ignore', detached: true }).pid!);
  vfs.root.put('start', new Document(() => ({ bytes: Buffer.from(`${start()}\n`), mtimeNs: 0n })));
  return vfs;
}
