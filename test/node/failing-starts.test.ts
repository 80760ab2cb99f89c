import { mkdirSync, readlinkSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runNode, type RunningNodeOptions } from '../../lib/compose/index.js';
import { optionsFor, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

/** What stands in the way of one step: it is put at that path below the test's directory, and what it is said of. */
type Obstacle = [step: string, path: string, options: Partial<RunningNodeOptions>, says: RegExp];

const OBSTACLES: Obstacle[] = [
  ['the lock', 'state/node.json.lock/', {}, /lock file .*state.* cannot be opened/],
  ['the ledger of processes', 'state/node.json.processes/', {}, /State cannot be kept in .*state/],
  ['the audit log', 'state/node.json.audit.ndjson/', {}, /State cannot be kept in .*state/],
  ['the mark of the audit log', 'state/node.json.audit.ndjson.sent/', {}, /State cannot be kept in .*state/],
  ['the state of the services', 'state/node.json.runtime-services.json/', {}, /state/],
  ['an export', 'none', { exports: [{ name: 'x', path: '/nowhere', readOnly: true }] }, /nowhere/],
  ['a terminal', 'none', { terminals: ['a', 'a'] }, /Two terminals/],
  ['a manifest', 'none', { manifestFiles: ['/nowhere.json'] }, /nowhere/],
];

for (const [step, path, options, says] of OBSTACLES)
  t.test(`a node that fails at ${step} holds nothing, and starts once that is mended`, async (t) => {
    const dir = temporaryDir(t);
    mkdirSync(join(dir, 'manifests'));
    const obstacle = join(dir, path);
    if (path.endsWith('/')) mkdirSync(obstacle, { recursive: true, mode: 0o700 });
    else writeFileSync(obstacle, '');
    await t.rejects(runNode(optionsFor(dir, options)), { name: 'FsError', message: says });
    const held = (): string[] =>
      readdirSync('/proc/self/fd')
        .map((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`);
          } catch {
            return '';
          }
        })
        .filter((target) => target.startsWith(dir));
    await until(() => held().length === 0, `nothing to be open; ${held().join(' ')} is`);
    rmSync(obstacle, { recursive: true });
    const node = await runNode(optionsFor(dir, {}));
    await node.close();
    t.same(held(), []);
  });
