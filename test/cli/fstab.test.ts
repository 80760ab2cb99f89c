import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { mountArguments } from '../../lib/cli/fstab-options.js';
import { mountCommand } from '../../lib/cli/commands/mount.js';
import { PROGRAM } from '../support/acheron.js';
import { PlaneProcesses } from '../support/plane-processes.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

const helper = join(import.meta.dirname, '../../../packaging/mount.acheron');

/** Runs `script` as root in a namespace of mounts of its own, in which mount(8) finds our helper. */
async function inNamespace(dir: string, script: string) {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'acheron'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`);
  chmodSync(join(bin, 'acheron'), 0o755);
  const sbin = join(dir, 'sbin');
  mkdirSync(sbin);
  const setUp = [
    'set -u',
    `cp ${helper} ${sbin}/mount.acheron`,
    // What this machine has in these folders stays as it is: here alone, another lies above.
    `mount -t overlay -o lowerdir=${sbin}:/usr/sbin none /usr/sbin`,
    `mount -t overlay -o lowerdir=${bin}:/usr/bin none /usr/bin`,
  ];
  return execa('unshare', ['-m', '--propagation', 'private', 'sh', '-c', [...setUp, script].join('\n')], {
    env: {
      ...cleanEnvironment(),
      NO_COLOR: '1',
      PATH: `${bin}:${process.env.PATH}`,
      ACHERON_STATE_DIR: join(dir, 'state'),
    },
    extendEnv: false,
    reject: false,
  });
}

t.test('mount(8), findmnt, mount -a and umount know a mount by its line in fstab', async (t) => {
  const plane = await PlaneProcesses.start(t);
  const dir = temporaryDir(t);
  const [at, fstab] = [join(dir, 'mnt'), join(dir, 'fstab')];
  const source = plane.url.replace('ws://', 'http://');
  const options = `token=${plane.tokenFile('admin')},state_dir=${join(dir, 'state')},_netdev,x-systemd.automount,nofail,ro`;
  writeFileSync(fstab, `${source}/ ${at} acheron ${options} 0 0\n`);
  const ran = await inNamespace(
    dir,
    `
    mount -T ${fstab} ${at}; echo "mount $?"
    echo "entries $(ls ${at} | tr '\\n' ' ')"
    findmnt -n -o FSTYPE,VFS-OPTIONS ${at}
    echo x > ${at}/control/plan.json; echo "write $?"
    mount -a -T ${fstab}; echo "again $?"
    echo "mounts $(findmnt -n ${at} | wc -l)"
    umount ${at}; echo "umount $?"
    findmnt ${at}; echo "gone $?"
    mount -a -T ${fstab}; echo "all $?"
    acheron unmount ${at} > /dev/null; echo "unmount $?"
    `,
  );
  t.comment(ran.stderr);
  t.match(ran.stdout, /^mount 0$/m);
  t.match(ran.stdout, /^entries .*nodes/m);
  t.match(ran.stdout, /^fuse\.acheron ro,nosuid,nodev/m);
  t.match(ran.stdout, /^write 2$/m, 'read-only');
  t.match(ran.stderr, /Read-only file system/);
  t.match(ran.stdout, /^again 0\nmounts 1\numount 0\ngone 1\nall 0\nunmount 0$/m, ran.stderr);
});

t.test('mount(8) gets the statuses that it knows, and a sentence', async (t) => {
  const dir = temporaryDir(t);
  const at = join(dir, 'mnt');
  mkdirSync(at);
  const token = join(dir, 'token');
  writeFileSync(token, 'none\n', { mode: 0o600 });
  const nobody = `ws://127.0.0.1:1/ ${at} -o token=${token},connect_timeout_ms=1,state_dir=${join(dir, 'state')}`;
  const ran = await inNamespace(
    dir,
    `
    mount -t acheron ws://127.0.0.1:1/ ${at} -o colour=red; echo "option $?"
    mount -t acheron /dev/sda1 ${at}; echo "source $?"
    mount -t acheron ${nobody}; echo "nobody $?"
    mount -f -t acheron ${nobody}; echo "fake $?"
    `,
  );
  t.equal(ran.stdout, 'option 1\nsource 1\nnobody 32\nfake 0');
  t.match(ran.stderr, /There is no mount option "colour"/);
  t.match(ran.stderr, /\/dev\/sda1 is no address of a control plane/);
  t.match(ran.stderr, /control plane/);
});

t.test('options of fstab are those of acheron mount; those of others are passed over', async (t) => {
  const of = (source: string, options: string): string[] =>
    mountArguments({ source, dir: '/m', options }, mountCommand());
  t.same(of('wss:/plane/', 'rw,token=/t,allow_other,allow_uid=1,allow_uid=2,noauto,x-a.b=c'), [
    ...['/m', '--control-url', 'wss://plane'],
    ...['--token-file=/t', '--allow-other', '--allow-uid=1', '--allow-uid=2'],
  ]);
  t.same(of('acheron', 'defaults,ca=/c,project=p'), ['/m', '--tls-ca=/c', '--project=p']);
  t.throws(() => of('acheron', 'token'), { message: /needs a value/ });
  t.throws(() => of('acheron', 'ro=1'), { message: /takes no value/ });
});
