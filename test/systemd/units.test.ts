import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const dir = join(import.meta.dirname, '../../../packaging/systemd');
const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
const skip = hasAnalyze ? false : 'systemd-analyze is not installed';

t.test('the control plane can do little on the machine it runs on', { skip }, async (t) => {
  const printed = execFileSync(
    'systemd-analyze',
    ['security', '--offline=yes', '--no-pager', join(dir, 'acheron-control.service')],
    { encoding: 'utf8' },
  );
  const level = Number(/exposure level for \S+: ([\d.]+)/.exec(printed)?.[1]);
  t.ok(level <= 3, `its exposure is ${level}, of 10`);
});

t.test('systemd understands each line of the units', { skip }, async (t) => {
  for (const name of readdirSync(dir)) {
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', join(dir, name)], {
      encoding: 'utf8',
    });
    // The package, and with it the program, is not installed where tests run.
    const faults = stderr
      .split('\n')
      .filter((line) => line !== '' && !line.includes('/usr/bin/acheron is not'));
    t.same(faults, [], name);
  }
});

t.test('units start what is installed, and wait until it is ready', async (t) => {
  for (const name of readdirSync(dir).filter((one) => one.endsWith('.service'))) {
    const text = readFileSync(join(dir, name), 'utf8');
    t.match(text, /^Type=notify$/m, name);
    t.match(text, /^ExecStart=\/usr\/bin\/acheron (control|node|mount %f)$/m, name);
    t.match(text, /^ExecReload=\/bin\/kill -HUP \$MAINPID$/m, name);
    t.match(text, /^WatchdogSec=\d+$/m, name);
  }
});
