import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

const SCRIPT = `
echo '::progress {"done": 1, "total": 2, "message": "one"}' >&2
until [ -e "$DIR/go" ]; do sleep 0.02; done
echo '::progress {"done": 2, "total": 2, "message": "two, which is longer"}' >&2`;

interface Said {
  readonly done: number | null;
  readonly message: string | null;
}

t.test('a mount shows how far a job is at each open, and one open shows one document', async (t) => {
  const dir = t.testdir();
  const up = await Up.start(t, {
    manifests: [shellManifest('steps', SCRIPT, { runtime: { env: { DIR: dir } } })],
  });
  writeFileSync(up.service('steps', 'control/submit.json'), '{"_key":"k"}');
  const path = up.service('steps', 'jobs/latest/progress.json');
  const said = (): Said => JSON.parse(readFileSync(path, 'utf8')) as Said;
  await until(() => said().done === 1, 'the first progress');
  t.equal(statSync(path).size, readFileSync(path).length);
  const before = statSync(path).mtimeMs;
  const open = openSync(path, 'r');
  writeFileSync(join(dir, 'go'), '');
  writeFileSync(up.service('steps', 'jobs/latest/wait'), '20');
  t.match(said(), { done: 2, total: 2, message: 'two, which is longer' });
  t.ok(statSync(path).mtimeMs >= before);
  const shown = Buffer.alloc(4096);
  const length = readSync(open, shown, 0, shown.length, 0);
  t.match(JSON.parse(shown.toString('utf8', 0, length)), { done: 1, message: 'one' });
  closeSync(open);
  for (const file of ['status.json', 'jobs/latest/status.json'])
    t.match(JSON.parse(readFileSync(up.service('steps', file), 'utf8')), { progress: { done: 2 } }, file);
  t.equal(readFileSync(up.service('steps', 'jobs/latest/stderr'), 'utf8'), '');
});
