import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import {
  inviteThrough,
  NodeProcess,
  PlaneProcesses,
  Program,
  shell,
  untilOnline,
} from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';
import { needsRoot, runAs, type AccountRan } from './fixtures/local-account.js';

/** Users of the machine that mounts. */
const [ANA, BEN, CAROL] = [54_001, 54_002, 54_003];
/** Users of the node's machine: of Mira there are more groups. */
const [MIRA, NOOR] = [54_101, 54_102];
const TEAM = 54_200;
const ROOT = 0;

const LET_IN = ['--allow-other', ...[ANA, BEN, CAROL].flatMap((uid) => ['--allow-uid', String(uid)])];
const MAPPED = [...LET_IN, '--map-uid', `${ANA}:${MIRA}`, '--map-uid', `${BEN}:${NOOR}`];
const USERS = `mira:x:${MIRA}:${MIRA}::/:/bin/sh\nnoor:x:${NOOR}:${NOOR}::/:/bin/sh\n`;

function makeTree(path: string): void {
  fs.chmodSync(path, 0o777);
  const file = (name: string, uid: number, gid: number, mode: number): void => {
    fs.writeFileSync(join(path, name), name);
    fs.chownSync(join(path, name), uid, gid);
    fs.chmodSync(join(path, name), mode);
  };
  file('open', ROOT, ROOT, 0o666);
  file('secret', ROOT, ROOT, 0o600);
  file('miras', MIRA, MIRA, 0o600);
  file('noors', NOOR, NOOR, 0o600);
  file('team', ROOT, TEAM, 0o660);
  file('not-team', ROOT, TEAM, 0o606);
  fs.mkdirSync(join(path, 'own'));
  file('own/inner', MIRA, MIRA, 0o644);
  fs.chownSync(join(path, 'own'), MIRA, MIRA);
  fs.chmodSync(join(path, 'own'), 0o700);
  fs.mkdirSync(join(path, 'for-team'));
  fs.chownSync(join(path, 'for-team'), ROOT, TEAM);
  fs.chmodSync(join(path, 'for-team'), 0o2770);
}

/** What a user may try in a directory; the same words stand for the same outcome wherever it is. */
const ATTEMPTS = `exec 2>&1; cd "$0" || exit
for f in open secret miras noors team not-team own/inner; do
  cat $f; echo; echo more >>$f; stat -c '%n %s %a %u %g' $f; chmod 640 $f; chown ${CAROL} $f; touch -d 2001-01-01 $f
  test -r $f && echo readable; test -w $f && echo writable; ln $f link-$f && rm link-$f; mv $f moved && mv moved $f
done
for d in . own for-team; do
  ls $d 2>/dev/null || echo unreadable $d; mkdir $d/dir; mkfifo $d/pipe; ln -s x $d/symlink; echo text >$d/new; stat -c '%n %a %u %g' $d/new $d/dir $d/pipe $d/symlink
  cp $d/new $d/copy; cat $d/copy; truncate -s 1 $d/copy; setfattr -n user.a -v b $d/copy; getfattr --only-values -n user.a $d/copy; echo
  stat -c '%n %s %U' $d/copy; rm -r $d/dir $d/pipe $d/symlink $d/new $d/copy
done; true`;

/** The same on the machine itself. */
async function attemptsAs(uid: number, groups: readonly number[], path: string): Promise<string> {
  const also = groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
  const id = String(uid);
  const argv = ['--reuid', id, '--regid', id, '--inh-caps=-all', ...also, '--', 'sh', '-c', ATTEMPTS, path];
  return (await promisify(execFile)('setpriv', argv)).stdout.replaceAll(path, 'HERE');
}

async function attemptsThrough(uid: number, path: string): Promise<string> {
  return (await runAs(uid, ['sh', '-c', ATTEMPTS, path])).stdout.replaceAll(path, 'HERE');
}

/** What each export of the node says besides its path. */
const EXPORTS = {
  both: `:map=mira,${NOOR}-${NOOR}`,
  'as-mira': `:map=${MIRA},${NOOR}:as=${MIRA}`,
  none: '',
  range: ':map=1-60000',
  root: ':map=root',
  agents: `:map=${MIRA}@ws1,ws2`,
  anybody: `:map=${MIRA}@*`,
};
type ExportName = keyof typeof EXPORTS;

interface Setting {
  readonly plane: PlaneProcesses;
  /** The real directory of an export. */
  readonly real: (name: ExportName) => string;
  /** Mounts the plane, for users of this machine to enter; answers where an export is in it. */
  readonly mounted: (args: readonly string[], who?: string) => Promise<(name: ExportName) => string>;
}

/** A node of a machine that has users of its own, and mounts of its control plane at another. */
async function setting(t: Test): Promise<Setting> {
  const dir = temporaryDir(t);
  fs.chmodSync(dir, 0o755);
  const real = (name: ExportName): string => join(dir, name);
  const exported = Object.entries(EXPORTS).flatMap(([name, words]) => {
    fs.mkdirSync(join(dir, name));
    makeTree(join(dir, name));
    return ['--export', `${name}=${join(dir, name)}:rw${words}`];
  });
  const plane = await PlaneProcesses.start(t);
  const admins = await plane.mount('admin');
  plane.node('n1', []).start(await inviteThrough(admins), exported, withUsers(t));
  await untilOnline(admins, 'n1');
  const mounted = async (args: readonly string[], who = 'admin'): Promise<(name: ExportName) => string> => {
    const mount = await plane.mount(who, args);
    fs.chmodSync(join(mount, '..'), 0o755);
    await untilOnline(mount, 'n1');
    return (name) => join(mount, 'nodes/n1/fs', name);
  };
  return { plane, real, mounted };
}

/** A command that runs another where /etc/passwd and /etc/group have more users. */
function withUsers(t: Test): string[] {
  const dir = temporaryDir(t);
  const [passwd, group] = [join(dir, 'passwd'), join(dir, 'group')];
  fs.writeFileSync(passwd, fs.readFileSync('/etc/passwd', 'utf8') + USERS);
  fs.writeFileSync(group, `${fs.readFileSync('/etc/group', 'utf8')}team:x:${TEAM}:mira\n`);
  for (const file of [passwd, group]) fs.chmodSync(file, 0o644);
  const script = 'mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 && exec "$@"';
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, 'sh', passwd, group];
}

const REFUSED = `exec 2>&1; cat "$0/open"; echo x >>"$0/open"; echo x >"$0/new"; ls "$0"; ls -l "$0"; stat "$0/open"; mkdir "$0/d"
  rm "$0/open"; mv "$0/open" "$0/moved"; chmod 777 "$0/open"; ln "$0/open" "$0/l"; mkfifo "$0/p"; truncate -s 0 "$0/open"; stat "$0/."`;

async function denied(t: Test, uid: number, path: string, title: string): Promise<void> {
  const lines = (await runAs(uid, ['sh', '-c', REFUSED, path])).stdout.trim().split('\n');
  t.ok(lines.length >= 14, title);
  for (const line of lines) t.match(line, /Permission denied/, title);
}

t.setTimeout(300_000);

t.test(
  'users of a mount are users of the machine of an export where both sides say so',
  needsRoot,
  async (t) => {
    const { plane, real, mounted } = await setting(t);
    const shown = await mounted(MAPPED);

    await t.test('one has there what its user has on the machine itself, with all its groups', async (t) => {
      const bare = temporaryDir(t);
      fs.chmodSync(bare, 0o755);
      for (const [local, remote, groups] of [
        [ANA, MIRA, [TEAM]],
        [BEN, NOOR, []],
      ] as const) {
        const name = String(remote);
        for (const path of [bare, real('both')]) {
          fs.mkdirSync(join(path, name));
          makeTree(join(path, name));
        }
        const there = await attemptsAs(remote, groups, join(bare, name));
        t.match(there, remote === MIRA ? /^team 9 660 0 54200$/m : /^not-team 13 606 0 54200$/m);
        t.equal(await attemptsThrough(local, join(shown('both'), name)), there);
      }
    });

    await t.test('what one may see is not shown to another out of a cache', async (t) => {
      const data = shown('as-mira');
      const look = `cat "$0/own/inner" "$0/miras"; stat -c %s "$0/own/inner"; ls "$0/own"; test -e "$0/own/inner"`;
      const lookAs = (uid: number): Promise<AccountRan> => runAs(uid, ['sh', '-c', look, data]);
      const all = { stdout: 'own/innermiras9\ninner\n', stderr: '' };
      for (let i = 0; i < 3; i++) {
        const owner = shell(look.replaceAll('$0', data));
        const [seen, ana, ben, carol] = await Promise.all([owner, lookAs(ANA), lookAs(BEN), lookAs(CAROL)]);
        t.match([seen, ana], [all, all], 'the owner, and who is mapped to the same user');
        for (const other of [ben, carol]) {
          t.match(other, { stdout: '', status: 1 }, 'another user there, and who is none');
          t.match(other.stderr, /^(.*Permission denied\n){4}$/);
        }
      }
    });

    await t.test('the owner of the mount, who acts as nobody there, learns nothing from them', async (t) => {
      const look = 'cat "$0/own/inner"; stat -c %s "$0/own/inner"; ls "$0/own"';
      for (let i = 0; i < 3; i++) {
        const ana = await runAs(ANA, ['sh', '-c', look, shown('both')]);
        t.match(ana, { stdout: 'own/inner9\ninner\n', stderr: '' });
        const owner = await shell(look.replaceAll('$0', shown('both')));
        t.equal(owner.stdout, '');
        t.match(owner.stderr, /^(.*Permission denied\n){3}$/);
      }
    });

    await t.test('one makes no set-id file and gives none away', async (t) => {
      const script = `exec 2>&1; cd "$0"; cp /bin/true prog; for mode in 4755 2755 u+s; do chmod $mode prog; done; chown ${NOOR} prog; chgrp ${TEAM} prog
      python3 -c 'import os; os.close(os.open("made", os.O_CREAT, 0o6755))'; setfattr -n trusted.a -v 1 prog; stat -c '%n %a' prog made`;
      const { stdout } = await runAs(ANA, ['sh', '-c', script, shown('both')]);
      t.match(
        stdout,
        /^(chmod: .*not permitted\n){3}chown: .*not permitted\nchgrp: .*not permitted\n.*not permitted\nprog 755\nmade 755\n$/,
      );
      const set = join(real('both'), 'set');
      fs.writeFileSync(set, 'x');
      fs.chownSync(set, MIRA, MIRA);
      fs.chmodSync(set, 0o6755);
      await runAs(ANA, ['sh', '-c', 'echo more >>"$0/set"', shown('both')]);
      t.equal(fs.statSync(set).mode & 0o7777, 0o755, 'a write takes the bits of one that is there');
    });

    await t.test('one side alone maps nobody', async (t) => {
      await denied(t, ANA, shown('none'), 'the mount asks, the export has no map');
      await denied(t, CAROL, shown('both'), 'who is not mapped');
      t.equal((await shell(`cat ${shown('none')}/open`)).stdout, 'open', 'the owner is served as ever');
      const plain = await mounted(LET_IN);
      await denied(t, ANA, plain('both'), 'the export has a map, the mount does not ask');
      const other = await mounted([...LET_IN, '--map-uid', `${ANA}:${NOOR}`, '--map-uid', `${BEN}:${CAROL}`]);
      await denied(t, BEN, other('both'), 'the mount asks for a user that the export does not name');
      t.equal((await runAs(ANA, ['cat', join(other('both'), 'noors')])).stdout, 'noors');
      const services = await runAs(BEN, ['cat', join(other('none'), '../../NODE.json')]);
      t.equal(services.stderr, '', 'all but exports is theirs as before');
    });

    await t.test('root there is who was given root by name', async (t) => {
      const roots = await mounted([...LET_IN, '--map-uid', `${ANA}:0`]);
      await denied(t, ANA, roots('range'), 'a range has no root in it');
      await denied(t, ANA, roots('both'), 'nor has a list without it');
      const script = `cat "$0/secret"; chown ${NOOR} "$0/open" && stat -c %u "$0/open"; chmod 4755 "$0/open"; stat -c %a "$0/open"`;
      const ran = await runAs(ANA, ['sh', '-c', script, roots('root')]);
      t.equal(ran.stdout, `secret${NOOR}\n666\n`);
      t.match(ran.stderr, /^chmod: .*Operation not permitted\n$/, 'and makes no set-id file');
      await denied(t, BEN, roots('root'), 'who is not mapped');
      const args = ['--state-dir', temporaryDir(t), '--export', `x=${real('root')}:map=0-1999`];
      const refused = new Program(t, ['node', ...args]);
      await t.rejects(refused.says(/is running/), /range 0-1999 of the export "x" has root in it/);
    });

    await t.test('a map is for mounts of admins, and of the agents that it names', async (t) => {
      const tokenOf = async (agent: string): Promise<string> => {
        const made = await plane.run(['token', 'create', '--agent', agent, ...plane.as('admin')]);
        const file = join(temporaryDir(t), 'token');
        fs.writeFileSync(file, made.stdout, { mode: 0o600 });
        return file;
      };
      const outcomes = [];
      for (const who of ['admin', 'user', await tokenOf('ws2'), await tokenOf('ws3')]) {
        const theirs = await mounted(MAPPED, who);
        const files = [join(theirs('agents'), 'miras'), join(theirs('anybody'), 'miras')];
        outcomes.push((await runAs(ANA, ['cat', ...files])).stdout);
      }
      t.same(outcomes, ['mirasmiras', 'miras', 'mirasmiras', 'miras']);
    });

    await t.test('a mount that maps whom it does not let in is refused, with what to do', async (t) => {
      const dir = temporaryDir(t);
      for (const args of [
        ['--map-uid', `${ANA}:${MIRA}`],
        [...LET_IN, '--map-uid', '9:9'],
      ]) {
        const ran = await plane.run([
          'mount',
          join(dir, 'mnt'),
          ...plane.as('admin'),
          '--state-dir',
          dir,
          ...args,
        ]);
        t.equal(ran.status, 1);
        t.match(
          ran.stderr,
          /whom the mount does not let in\. \(EINVAL\)\n *Add --allow-other --allow-uid (54001|9)\./,
        );
      }
    });
  },
);

t.test(
  'the mount of up maps too, by its config file, and its own exports are for local users as such',
  needsRoot,
  async (t) => {
    const real = temporaryDir(t);
    fs.chmodSync(real, 0o755);
    makeTree(real);
    const own = temporaryDir(t);
    fs.chmodSync(own, 0o755);
    makeTree(own);
    fs.chownSync(join(own, 'noors'), ANA, ANA);
    const dir = mountDirFor(t);
    const config = join(dir, '..', 'config.json');
    const up = {
      'allow-other': true,
      'allow-uid': [ANA],
      'map-uid': [`${ANA}:${MIRA}`],
      export: [`own=${own}:map=${NOOR}`],
    };
    fs.writeFileSync(config, JSON.stringify({ up }));
    fs.chmodSync(join(dir, '..'), 0o755);
    const args = ['--state-dir', join(dir, '..', 'state'), '--port', '0', '--no-bundled', '--config', config];
    const program = new Program(t, ['up', dir, ...args]);
    const url = (await program.says(/listens on (ws:\S+)\./))[1]!;
    const node = new NodeProcess(t, { url }, 'n1', []);
    node.start(await inviteThrough(dir), ['--export', `data=${real}:map=${MIRA}`]);
    await untilOnline(dir, 'n1');
    const files = ['n1/fs/data/miras', 'local/fs/own/noors', 'n1/fs/data/noors', 'local/fs/own/miras'];
    const ran = await runAs(ANA, ['cat', ...files.map((file) => join(dir, 'nodes', file))]);
    t.equal(ran.stdout, 'mirasnoors');
    t.match(ran.stderr, /^(.*Permission denied\n){2}$/);
  },
);
