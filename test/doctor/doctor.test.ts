import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Finding } from '../../lib/doctor/index.js';
import { NOBODY_UID, needsRoot, runInNamespace } from '../attacks/fixtures/local-account.js';
import { PROGRAM, acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

const stateOf = (findings: readonly Finding[], check: string): string | undefined =>
  findings.find((finding) => finding.check === check)?.state;

const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('acheron-doctor-'));

t.test('doctor tries both bindings for real, and leaves nothing', async (t) => {
  const before = left();
  const { stdout } = await acheron(['doctor', '--json', '--state-dir', join(temporaryDir(t), 'state')]);
  const findings = JSON.parse(stdout) as Finding[];
  t.equal(stateOf(findings, 'binding-kernel'), 'fine', stdout);
  t.equal(stateOf(findings, 'mounting'), 'fine');
  t.same(
    left().filter((name) => !before.includes(name)),
    [],
  );
});

t.test(
  'to whom /dev/fuse is closed, doctor says that they cannot mount, and how to mend it',
  needsRoot,
  async (t) => {
    // Somebody else's mount, in a folder that nobody else may look into.
    const folder = temporaryDir(t);
    const script = `chmod 600 /dev/fuse
    unset NODE_OPTIONS
    chmod 700 '${folder}'
    '${process.execPath}' '${PROGRAM}' up '${folder}/mnt' --no-control --background --state-dir '${folder}/state' >&2 ||
      exit 9
    as ${NOBODY_UID} "$@"`;
    const args = [process.execPath, PROGRAM, 'doctor', '--json', '--state-dir', '/nonexistent/state'];
    const { stdout, stderr, status } = await runInNamespace(script, args);
    t.equal(status, 1, stderr);
    const findings = JSON.parse(stdout) as Finding[];
    t.equal(stateOf(findings, 'binding-kernel'), 'note');
    t.equal(stateOf(findings, 'mounting'), 'broken');
    t.match(stdout, /\/mnt is mounted by another user/);
    t.match(stdout, /chmod 666 \/dev\/fuse/);
  },
);
