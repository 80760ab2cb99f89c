/**
 * Keeps swapping names in a directory until its parent goes: `swapper.js DIR A B` makes A and B trade
 * places over and over, and says how often on stdout. Run as a process of its own.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';

const [dir, a, b] = process.argv.slice(2) as [string, string, string];
let swaps = 0;

function swap(): void {
  for (let i = 0; i < 200; i++) {
    renameSync(join(dir, a), join(dir, 'spare'));
    renameSync(join(dir, b), join(dir, a));
    renameSync(join(dir, 'spare'), join(dir, b));
  }
  swaps += 200;
  process.stdout.write(`${swaps}\n`, () => setImmediate(swap));
}

process.stdout.on('error', () => process.exit(0));
swap();
