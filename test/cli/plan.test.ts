import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { Up, acheron, type Ran } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const up = await Up.start(t, { manifests: [shellManifest('cat', 'cat'), shellManifest('old', 'cat')] });

/** What runs, as files. */
const running = (id: string): JsonObject =>
  JSON.parse(readFileSync(up.service(id, 'SERVICE.json'), 'utf8')) as JsonObject;

function plan(dir: string, ...args: string[]): Promise<Ran> {
  return acheron(['plan', '--services-dir', dir, '--state-dir', up.stateDir, ...args]);
}

/** A copy of the manifests that run, as in a checkout. */
function checkout(change: (dir: string) => void): string {
  const dir = temporaryDir(t);
  for (const name of readdirSync(up.manifests))
    writeFileSync(join(dir, name), readFileSync(join(up.manifests, name)));
  change(dir);
  return dir;
}

t.test('what runs as it is written: nothing to do, and the status is 0', async (t) => {
  const { status, stdout, stderr } = await plan(up.manifests);
  t.equal(status, 0, stderr);
  t.equal(stdout, '2 unchanged.\n');
  t.equal(stderr, '');
});

t.test('changes in a checkout are shown with their differences, and the status is 2', async (t) => {
  const dir = checkout((dir) => {
    const changed = { ...shellManifest('cat', 'cat'), version: '2' };
    writeFileSync(join(dir, 'cat.json'), JSON.stringify(changed));
    rmSync(join(dir, 'old.json'));
    writeFileSync(join(dir, 'new.json'), JSON.stringify(shellManifest('new', 'cat')));
  });
  const { status, stdout, stderr } = await plan(dir, '--in-place-of', up.manifests);
  t.equal(status, 2, stderr);
  t.match(stdout, /^~ cat {2}updated {2}1 -> 2 {2}\/version$/m);
  t.match(stdout, /^--- running\/cat\.json\n\+\+\+ planned\/cat\.json\n@@/m);
  t.match(stdout, /^\+ new {2}added$/m);
  t.match(stdout, /^- old {2}removed$/m);
  t.match(stdout, /1 added, 1 updated, 1 removed\.\n$/);
  t.equal(running('cat')['version'], '1', 'nothing was changed');
  const json = await plan(dir, '--in-place-of', up.manifests, '--json', 'local');
  t.equal(json.status, 2);
  t.match(JSON.parse(json.stdout), {
    node_id: 'local',
    changes: 3,
    faults: 0,
    files: [
      { service_id: 'cat', outcome: 'updated', version: '2', previous_version: '1', fields: ['/version'] },
      { service_id: 'new', outcome: 'added', diff: /^--- \/dev\/null\n/ },
      { service_id: 'old', outcome: 'removed', file: null, diff: /\n\+\+\+ \/dev\/null\n/ },
    ],
  });
});

t.test(
  'a manifest that is faulty shows its line with a caret, and what runs on; the status is 1',
  async (t) => {
    const dir = checkout((dir) =>
      writeFileSync(join(dir, 'cat.json'), '{\n  "service_id": "cat",\n  "kind": 1\n}\n'),
    );
    const { status, stdout } = await plan(dir, '--in-place-of', up.manifests);
    t.equal(status, 1);
    t.match(stdout, /^! cat {2}refused; what runs would run on$/m);
    t.match(stdout, /cat\.json:3:11: error: "kind" must be a string/);
    t.match(stdout, /^ {4}3 \| {3}"kind": 1\n {6}\| {11}\^$/m);
  },
);

t.test('a directory that the node does not have is noted, with those that it has', async (t) => {
  const dir = checkout(() => undefined);
  const { status, stdout, stderr } = await plan(dir);
  t.equal(status, 1, 'they would be rivals of those that run');
  t.match(stderr, /is no services directory of local \(it has: .+\), so nothing would be removed/);
  t.match(stdout, /The service "cat" exists already/);
});

t.test('what cannot be planned says why', async (t) => {
  t.match(await plan(join(up.stateDir, 'none')), { status: 1, stderr: /does not exist/ });
  t.match(await plan(up.manifests, 'nobody'), { status: 1, stderr: /What nobody runs.*cannot be read/ });
  t.match(await acheron(['plan']), { status: 2, stderr: /--services-dir/ });
});
