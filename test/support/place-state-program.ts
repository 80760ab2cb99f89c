/** Restores into the state directory of argument 1, and is killed before its change number N (argument 2) of names there. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const [dir = '', left = ''] = process.argv.slice(2);
let stepsLeft = Number(left);
const names = ['renameSync', 'unlinkSync', 'rmSync', 'mkdirSync'] as const;
for (const name of names) {
  const step = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      if (stepsLeft-- === 0) process.kill(process.pid, 'SIGKILL');
      return step(...args);
    },
  });
}
syncBuiltinESMExports();
const { placeState } = await import('../../lib/disk/index.js');
const working = join(dir, '.acheron-backup-1');
placeState(dir, working, { old: ['a', 'b'], aside: 'before' });
