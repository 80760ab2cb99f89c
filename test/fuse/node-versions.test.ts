import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readlinkSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountChild } from '../support/mount-child.js';
import { until } from '../support/until.js';

// `npm test` installs these.
const nodes = join(import.meta.dirname, '../../../test/nodes/node_modules');
const fixture = {
  module: new URL('../support/bridge-tree.js', import.meta.url).href,
  name: 'createBridgeTree',
};

for (const release of ['22', '24'])
  for (const reader of ['pipe', 'thread'] as const) {
    const execPath = join(nodes, `node-${release}/bin/node`);
    const missing = existsSync(execPath) ? false : `${execPath} is missing: npm ci in test/nodes`;
    t.test(`Node ${release} serves a mount (reader: ${reader})`, { skip: missing }, async (t) => {
      const child = await mountChild(t, { fixture, binding: 'kernel', reader, execPath });
      const at = (name: string): string => join(child.dir, name);
      t.equal(readlinkSync(`/proc/${child.pid}/exe`), execPath);

      for (const text of ['one', 'another']) {
        await writeFile(at('set'), `doc ${text}`);
        t.equal(await readFile(at('announced/doc'), 'utf8'), `${text}\n`);
        t.equal((await stat(at('announced/doc'))).size, text.length + 1);
      }

      const meeting = spawn('bash', ['-c', 'for i in $(seq 16); do echo 16 > barrier & done; wait'], {
        cwd: child.dir,
        stdio: 'ignore',
      });
      t.same(await once(meeting, 'exit'), [0, null], 'writers overlap');

      const caller = spawn('sh', ['-c', 'echo > wait'], { cwd: child.dir, stdio: 'ignore' });
      const ended = once(caller, 'exit');
      await until(async () => (await readFile(at('waits'), 'utf8')) === '1\n', 'the caller to wait');
      caller.kill('SIGKILL');
      t.same(await ended, [null, 'SIGKILL']);
      await until(async () => (await readFile(at('gone'), 'utf8')) === '1\n', 'the call to be cancelled');

      const busy = writeFile(at('busy'), '300');
      t.equal((await readFile(at('announced/doc'), 'utf8')).length, 8);
      await busy;

      await child.unmount();
      t.equal(await child.closed, 'unmounted');
    });
  }
