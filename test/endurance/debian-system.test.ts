import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { execa } from 'execa';
import t from 'tap';
import { BootedDebian, whyNoDebian } from '../support/booted-debian.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const top = join(import.meta.dirname, '../../..');
const ARCH = process.arch === 'arm64' ? 'arm64' : 'amd64';
const BEFORE = '0.0.9';
const MANIFEST = {
  service_id: 'gated',
  kind: 'test',
  runtime: {
    type: 'native_proc',
    executable_path: 'sh',
    args: [
      '-c',
      ': > /shared/begun; while [ ! -e /shared/go ]; do sleep 0.1; done; printf \'{"uid":%s}\' $(id -u)',
    ],
  },
  permissions: { allow_roles: ['admin', 'user'] },
};

t.setTimeout(1_800_000);

t.test(
  'on Debian: install, edit, enable, call, upgrade, start anew, mount, remove and purge',
  { skip: whyNoDebian(), timeout: 1_800_000 },
  async (t) => {
    const dir = temporaryDir(t);
    const machine = await BootedDebian.prepare(t, dir);
    for (const version of [BEFORE, null]) {
      const args = [
        '--arch',
        ARCH,
        '--level',
        '0',
        '--out',
        dir,
        ...(version === null ? [] : ['--version', version]),
      ];
      const { stdout } = await execa(process.execPath, [join(top, 'bin/deb.mjs'), ...args], {
        env: cleanEnvironment(),
        extendEnv: false,
      });
      machine.share(stdout.trim(), version === null ? 'new.deb' : 'old.deb');
    }
    writeFileSync(join(dir, 'gated.json'), JSON.stringify(MANIFEST));
    machine.share(join(dir, 'gated.json'), 'gated.json');
    const works = async (script: string, output: RegExp | string = ''): Promise<void> => {
      const { exitCode, stdout, stderr } = await machine.run(script);
      t.equal(exitCode, 0, `${script}: ${stderr}`);
      if (output !== '') t.match(stdout, output, script);
    };
    const isActive = (unit: string) =>
      machine.run(`systemctl is-active ${unit}`).then((ran) => ran.exitCode === 0);

    await machine.boot();
    await works('apt-get install -y /shared/old.deb');
    await works('acheron --version', BEFORE);
    t.notOk(await isActive('acheron-control'), 'nothing starts by itself');
    await works(`install -m 600 /shared/gated.json /etc/acheron/services/
      printf '{"node":{"node-name":"deb","control-url":"ws://127.0.0.1:18790"}}' > /etc/acheron/config.json
      chmod 777 /shared`);
    await works('systemctl enable --now acheron-control');
    await works('systemctl show -p StatusText acheron-control', /listens on ws:\/\/127\.0\.0\.1:18790/);
    await works('sudo -u acheron acheron token list', /admin/);

    // The node asks to be paired: it starts when an admin has approved the code that systemctl shows.
    await works('systemctl enable acheron-node; systemctl start --no-block acheron-node');
    let code: string | undefined;
    await until(
      async () => {
        const { stdout } = await machine.run('systemctl show -p StatusText acheron-node');
        code = /verification code is ([\w-]+)/.exec(stdout)?.[1];
        return code !== undefined;
      },
      'the code',
      120_000,
    );
    t.notOk(await isActive('acheron-node'), 'it is not started before');
    await works(`sudo -u acheron acheron pair approve ${code}`);
    await until(() => isActive('acheron-node'), 'the node', 120_000);

    // A call runs while the package is upgraded.
    const call = machine.run(
      'sudo -u acheron acheron invoke deb/gated "{}" || acheron invoke gated "{}" --state-dir /var/lib/acheron/node',
    );
    await until(async () => (await machine.run('test -e /shared/begun')).exitCode === 0, 'the call', 120_000);
    const upgrade = machine.run('apt-get install -y /shared/new.deb');
    await until(
      async () => (await machine.run('systemctl is-active acheron-node')).stdout === 'deactivating',
      'the node to be asked to stop',
      300_000,
    );
    await machine.run('touch /shared/go');
    const { exitCode, stdout } = await call;
    t.equal(exitCode, 0, 'the call ends well');
    t.match(stdout, /"uid": [1-9]\d+/, 'and was no call of root');
    t.equal((await upgrade).exitCode, 0);
    t.notMatch((await machine.run('acheron --version')).stdout, BEFORE);
    await until(
      async () => (await isActive('acheron-node')) && (await isActive('acheron-control')),
      'both',
      120_000,
    );
    await works('cat /etc/acheron/config.json', /"node-name":"deb"/);

    // Off and on.
    await machine.powerOff();
    await machine.boot();
    await until(
      async () => (await isActive('acheron-node')) && (await isActive('acheron-control')),
      'both',
      120_000,
    );

    // A mount by a line in fstab, which systemd has made a unit of (automounts are not to be had in such a machine); and one by ours.
    await works(`install -m 600 /var/lib/acheron/control/admin.token /etc/acheron/token
      echo 'ws://127.0.0.1:18790/ /srv/acheron acheron token=/etc/acheron/token,_netdev,x-systemd.automount,nofail 0 0' >> /etc/fstab
      systemctl daemon-reload; systemctl start srv-acheron.mount`);
    await works('ls /srv/acheron/nodes/deb/services', /gated/);
    await works('findmnt -n -o TARGET,FSTYPE /srv/acheron', /\/srv\/acheron +fuse\.acheron/);
    await works('systemctl stop srv-acheron.mount');
    t.equal((await machine.run('findmnt /srv/acheron')).stdout, '');
    await works(`printf 'ACHERON_CONTROL_URL=ws://127.0.0.1:18790\\nACHERON_TOKEN_FILE=/etc/acheron/token\\n' > /etc/acheron/mount-mnt-plane.env
      systemctl start acheron-mount@mnt-plane`);
    await works('ls /mnt/plane/nodes/deb/services', /gated/);
    await works(
      'mkdir /mnt/own; acheron mount /mnt/own --token-file /etc/acheron/token --state-dir /tmp/own --background',
    );
    await works('acheron unmount /mnt/own', /Unmounted/);
    await works(
      'systemctl reload acheron-mount@mnt-plane acheron-node acheron-control; ls /mnt/plane/nodes',
      /deb/,
    );

    // A loop that hangs is noticed.
    await works(`mkdir -p /run/systemd/system/acheron-control.service.d
      printf '[Service]\\nWatchdogSec=2\\n' > /run/systemd/system/acheron-control.service.d/quick.conf
      systemctl daemon-reload; systemctl restart acheron-control
      kill -STOP $(systemctl show -p MainPID --value acheron-control)`);
    await until(
      async () =>
        (await machine.run('systemctl show -p NRestarts --value acheron-control')).stdout === '1' &&
        (await isActive('acheron-control')),
      'the watchdog',
      120_000,
    );

    // systemd listens, and starts it with the first who comes.
    await works('systemctl stop acheron-control; systemctl start acheron-control.socket');
    t.notOk(await isActive('acheron-control'));
    await works('sudo -u acheron acheron token list --control-url ws://127.0.0.1:18790', /admin/);
    t.ok(await isActive('acheron-control'), 'it was started by the call');

    await works('apt-get remove -y acheron');
    t.equal(
      (await machine.run("pgrep -f '[a]cheron (control|node|mount)'")).stdout,
      '',
      'nothing of it runs',
    );
    await works('ls /var/lib/acheron/control/control.db /etc/acheron/config.json');
    await works('apt-get purge -y acheron');
    t.not((await machine.run('ls -d /var/lib/acheron')).exitCode, 0);
    t.not((await machine.run('ls -d /etc/acheron')).exitCode, 0);
    t.not((await machine.run('getent passwd acheron')).exitCode, 0);
  },
);

const hasLintian = spawnSync('lintian', ['--version']).status === 0;
t.test(
  'the Debian package has no error that lintian knows',
  { skip: hasLintian ? false : 'lintian is not installed' },
  async (t) => {
    const dir = temporaryDir(t);
    const { stdout: file } = await execa(process.execPath, [
      join(top, 'bin/deb.mjs'),
      '--arch',
      ARCH,
      '--out',
      dir,
    ]);
    const { stdout } = await execa('lintian', ['--allow-root', '--fail-on', 'none', file.trim()], {
      reject: false,
    });
    t.same(
      stdout.split('\n').filter((line) => line.startsWith('E:')),
      [],
    );
  },
);
