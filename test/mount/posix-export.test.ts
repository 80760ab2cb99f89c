import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { PlaneProcesses, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';

t.setTimeout(300_000);

const TABLE = join(import.meta.dirname, '../../../test/fixtures/posix/table.py');

/** Where an export is not like the directory that it shows, and why. All else is the same, errno for errno. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'special_files: fifo': 'mounts are without special files',
  'special_files: through a fifo': 'as above',
  'special_files: socket': 'as above',
  'special_files: file by mknod': 'as above',
  'special_files: device': 'as above',
};

/** Where one of another machine differs too. */
const DIFFERENT_AFAR: Readonly<Record<string, string>> = {
  ...DIFFERENT,
  'special_files: a nameless file': 'O_TMPFILE is not offered; programs fall back to a name',
  'special_files: that never gets a name': 'as above',
};

type Rows = ReadonlyMap<string, unknown>;

/** What test/fixtures/posix/table.py finds in `dir`. */
async function tableOf(dir: string): Promise<Rows> {
  const { stdout } = await promisify(execFile)('python3', [TABLE, dir], { maxBuffer: 16 * 1024 * 1024 });
  return new Map(JSON.parse(stdout) as [string, unknown][]);
}

/** The rows of `found` that are not as in `plain`. */
function differences(found: Rows, plain: Rows): Record<string, { found: unknown; plain: unknown }> {
  const names = new Set([...plain.keys(), ...found.keys()]);
  const all = [...names].map((name) => [name, { found: found.get(name), plain: plain.get(name) }] as const);
  return Object.fromEntries(all.filter(([, row]) => JSON.stringify(row.found) !== JSON.stringify(row.plain)));
}

/** What of `found` is not as `known` says. */
function unexplained<Row>(
  found: Record<string, Row>,
  known: Readonly<Record<string, string>>,
): Record<string, Row> {
  return Object.fromEntries(Object.entries(found).filter(([name]) => !(name in known)));
}

/** Two directories of one filesystem: one to look at as it is, the other to export. */
function places(t: { teardown(callback: () => unknown): void }): { plain: string; exported: string } {
  const dir = temporaryDir(t);
  const made = { plain: join(dir, 'plain'), exported: join(dir, 'exported') };
  for (const path of Object.values(made)) mkdirSync(path);
  return made;
}

t.test('an export in the mount does what the directory itself does, errno for errno', async (t) => {
  const { plain, exported } = places(t);
  const up = await Up.start(t, { binding: 'kernel', bundled: false, args: ['--export', `x=${exported}:rw`] });
  const found = differences(await tableOf(join(up.dir, 'nodes/local/fs/x')), await tableOf(plain));
  t.strictSame(unexplained(found, DIFFERENT), {});
});

t.test('so does an export of another machine, through the tunnel', async (t) => {
  const { plain, exported } = places(t);
  const plane = await PlaneProcesses.start(t);
  const mount = await plane.mount();
  plane.node('far', []).start(await inviteThrough(mount), ['--export', `x=${exported}:rw`]);
  await untilOnline(mount, 'far');
  const found = differences(await tableOf(join(mount, 'nodes/far/fs/x')), await tableOf(plain));
  t.strictSame(unexplained(found, DIFFERENT_AFAR), {});
});
