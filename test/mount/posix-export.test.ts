import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Up } from '../support/acheron.js';
import { untilPassedThrough } from '../support/passed-through.js';
import { PlaneProcesses, inviteThrough, untilOnline } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';

t.setTimeout(300_000);

const TABLE = join(import.meta.dirname, '../../../test/fixtures/posix/table.py');

const isRoot = process.getuid!() === 0;
/** The user that the table turns into where it runs as root. */
const NOBODY = 9;

/** Where an export is not like the directory that it shows, and why. All else is the same, errno for errno. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'special_files: device': 'devices are not made by mounts',
  'allocate: cut a range out': 'FUSE lets no such fallocate through',
  'allocate: put a range in': 'as above',
  'modes_and_owners: chown -1 -1': 'the kernel keeps to itself a chown that names nobody',
};

/** Where one of another machine differs too. */
const DIFFERENT_AFAR: Readonly<Record<string, string>> = {
  ...DIFFERENT,
  "attributes: root's own: trusted": 'no remote caller is root in this',
  "attributes: root's own: a capability": 'as above',
  'modes_and_owners: chmod 2755 file': 'no remote caller sets such bits',
  'modes_and_owners: chmod 4755 file': 'as above',
  'modes_and_owners: chmod 2755 dir': 'as above',
  'modes_and_owners: chmod 4755 dir': 'as above',
  'modes_and_owners: a set-group-id directory': 'as above',
  'modes_and_owners: a write clears set-user-id': 'as above',
  'modes_and_owners: a truncate too': 'as above',
  "modes_and_owners: root's truncation takes none": 'as above',
  "modes_and_owners: another's truncation does": 'the mount lets no other user in',
  "modes_and_owners: above all another's": 'as above',
  'modes_and_owners: what another may not': 'as above',
  'modes_and_owners: a sticky directory': 'as above',
  'times: another user: now': 'as above',
  'times: another user: a time': 'as above',
};

/** Links that lead out are shown, as the directory itself shows them. */
const SHOWN = ['--follow-outside-links', '--export'];

type Rows = ReadonlyMap<string, unknown>;

/** What test/fixtures/posix/table.py finds in `dir`, run by the user `uid` of a group of its own. */
async function tableOf(dir: string, uid = process.getuid!()): Promise<Rows> {
  const running = promisify(execFile)('python3', ['-', dir], {
    ...{ uid, gid: uid, maxBuffer: 16 * 1024 * 1024, cwd: '/' },
  });
  // What the program itself is may lie where that user cannot read.
  running.child.stdin!.end(readFileSync(TABLE));
  const { stdout } = await running;
  return new Map(JSON.parse(stdout) as [string, unknown][]);
}

type Differences = Readonly<Record<string, { readonly shown: unknown; readonly plain: unknown }>>;

/** The rows of the table in which `shownDir` is not as `plainDir`, for the user `uid`. */
async function differences(shownDir: string, plainDir: string, uid?: number): Promise<Differences> {
  const [shown, plain] = await Promise.all([tableOf(shownDir, uid), tableOf(plainDir, uid)]);
  const names = new Set([...plain.keys(), ...shown.keys()]);
  const all = [...names].map((name) => [name, { shown: shown.get(name), plain: plain.get(name) }] as const);
  return Object.fromEntries(all.filter(([, row]) => JSON.stringify(row.shown) !== JSON.stringify(row.plain)));
}

/** What of `found` is not as `known` says. */
function unexplained(found: Differences, known: Readonly<Record<string, string>>): Differences {
  return Object.fromEntries(Object.entries(found).filter(([name]) => !(name in known)));
}

/** Two directories of one filesystem, of the user `uid`: one to look at as it is, the other to export. */
function places(t: Test, uid = process.getuid!()): { plain: string; exported: string } {
  const dir = temporaryDir(t);
  chmodSync(dir, 0o711);
  const made = { plain: join(dir, 'plain'), exported: join(dir, 'exported') };
  for (const path of Object.values(made)) {
    mkdirSync(path);
    if (uid !== process.getuid!()) chownSync(path, uid, uid);
  }
  return made;
}

for (const how of [[], ['--no-passthrough']])
  t.test(
    `an export in the mount does what the directory itself does, errno for errno ${how.join(' ')}`,
    async (t) => {
      const ours = places(t);
      const theirs = places(t, isRoot ? NOBODY : undefined);
      const guest = isRoot ? ['--allow-other', '--allow-uid', `${NOBODY}`] : [];
      const up = await Up.start(t, {
        ...{ binding: 'kernel', bundled: false },
        args: [
          ...SHOWN,
          `ours=${ours.exported}:rw`,
          '--export',
          `theirs=${theirs.exported}:rw`,
          ...guest,
          ...how,
        ],
      });
      const exported = (name: string): string => join(up.dir, 'nodes/local/fs', name);
      if (isRoot && how.length === 0) await untilPassedThrough(up);
      t.strictSame(unexplained(await differences(exported('ours'), ours.plain), DIFFERENT), {});
      if (how.length > 0) return;
      await t.test('and for another user who is let in', { skip: !isRoot }, async (t) => {
        chmodSync(dirname(up.dir), 0o711);
        const found = await differences(exported('theirs'), theirs.plain, NOBODY);
        t.strictSame(unexplained(found, DIFFERENT), {});
      });
    },
  );

t.test('so does an export of another machine, through the tunnel', async (t) => {
  const { plain, exported } = places(t);
  const plane = await PlaneProcesses.start(t);
  const mount = await plane.mount('admin', ['--follow-outside-links']);
  plane
    .node('far', [])
    .start(await inviteThrough(mount), [...SHOWN, `x=${exported}:rw${isRoot ? ':as=root' : ''}`]);
  await untilOnline(mount, 'far');
  const found = await differences(join(mount, 'nodes/far/fs/x'), plain);
  t.strictSame(unexplained(found, DIFFERENT_AFAR), {});
});
