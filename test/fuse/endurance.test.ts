import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { mountEntryAt } from '../../lib/fuse/index.js';
import { extent } from '../support/extent.js';
import { cleanEnvironment, mountChild, mountDirFor } from '../support/mount-child.js';
import type { Held } from '../support/remount-program.js';

const run = promisify(execFile);
const OPERATIONS = extent('ACHERON_ENDURANCE_OPERATIONS', { short: 9_000, long: 1_000_000 });
const REMOUNTS = extent('ACHERON_ENDURANCE_REMOUNTS', { short: 10, long: 1000 });
const TIMEOUT_MS = 1000 * Math.max(60, OPERATIONS / 1000, REMOUNTS);
t.setTimeout(2 * TIMEOUT_MS);

/** Does `count` file operations of every kind that the tree offers, in a mount of another process. */
const OPERATE = `
  const fs = require('node:fs');
  const [count, own] = [Number(process.argv[1]), 'p' + process.pid];
  const attempt = (act) => { try { return act(); } catch {} };
  const acts = [
    () => fs.statSync('gone'),
    () => fs.readFileSync('gone'),
    () => fs.writeFileSync('taken', 'x'),
    () => fs.writeFileSync('set', own + ' ' + 'x'.repeat(i % 40)),
    () => fs.readFileSync('announced/' + own),
    () => fs.statSync('announced/' + own),
    () => fs.readdirSync('announced', { withFileTypes: true }),
    () => fs.statSync('announced/nothing'),
    () => fs.mkdirSync('announced/refused'),
    () => fs.renameSync('announced/' + own, 'announced/refused'),
    () => fs.truncateSync('taken'),
    () => fs.writeFileSync('set', 'remove ' + own),
  ];
  for (let i = 0; i < count; i++) attempt(acts[i % acts.length]);`;

for (const reader of ['pipe', 'thread'] as const) {
  t.test(`${OPERATIONS} operations leave nothing in memory (reader: ${reader})`, async (t) => {
    const { dir } = await mountChild(t, {
      fixture: {
        module: new URL('../support/bridge-tree.js', import.meta.url).href,
        name: 'createBridgeTree',
      },
      binding: 'kernel',
      reader,
    });
    const operate = async (count: number): Promise<void> => {
      const workers = Array.from({ length: 2 }, () =>
        run(process.execPath, ['-e', OPERATE, String(Math.ceil(count / 2))], {
          cwd: dir,
          env: cleanEnvironment(),
          timeout: TIMEOUT_MS,
        }),
      );
      await Promise.all(workers);
    };
    const memory = async (): Promise<number> => Number(await readFile(join(dir, 'memory'), 'utf8'));
    await operate(4_000);
    const before = await memory();
    await operate(OPERATIONS);
    const grown = (await memory()) - before;
    t.comment(`${grown} bytes more than ${before}`);
    t.ok(grown < 512 * 1024, `${grown} bytes`);
  });

  t.test(
    `${REMOUNTS} mounts leave neither memory nor descriptors nor threads (reader: ${reader})`,
    async (t) => {
      const dir = mountDirFor(t);
      mkdirSync(dir);
      const program = new URL('../support/remount-program.js', import.meta.url).pathname;
      const { stdout } = await run(process.execPath, [program, dir, reader, String(REMOUNTS)], {
        env: cleanEnvironment(),
        timeout: TIMEOUT_MS,
      });
      const [before, after] = JSON.parse(stdout) as [Held, Held];
      t.comment(JSON.stringify({ before, after }));
      t.equal(after.descriptors, before.descriptors);
      t.ok(after.threads <= before.threads + 1, 'a thread may be about to end');
      const grown = after.heapBytes - before.heapBytes;
      t.ok(grown < 512 * 1024 + 1024 * REMOUNTS, `${grown} bytes, of code mostly`);
      t.ok(after.rssBytes - before.rssBytes < 48 * 1024 * 1024, 'memory of the process');
      t.equal(mountEntryAt(dir), undefined);
    },
  );
}
