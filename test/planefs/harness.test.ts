import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cleanEnvironment } from '../support/mount-child.js';

const SCRIPT = join(import.meta.dirname, '../../../test/harness/acheron-multi-node-runtime.sh');

t.test('the multi-node harness finds all that it looks for', { timeout: 180_000 }, async (t) => {
  const child = spawn('bash', [SCRIPT, '--deadline', '160'], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'close')) as [number | null];
  t.equal(status, 0, said);
  const separate = /networks of their own/.test(said);
  t.match(said, separate ? /^1\.\.12$/m : /^1\.\.10$/m);
  if (process.getuid?.() === 0 && existsSync('/usr/sbin/ip')) t.ok(separate, 'by network namespaces');
  t.notOk(
    existsSync('/run/netns') &&
      readdirSync('/run/netns').some((name) => name.startsWith(`acheron-${child.pid}-`)),
  );
});
