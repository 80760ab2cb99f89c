import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { shell } from '../support/plane-processes.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';
import { needsRoot, runAs, STRANGER_UID } from './fixtures/local-account.js';

/** Opens a file until it is refused, says how often and with which errno, and holds all until its input ends. */
const GREEDY = `
import os, sys
held = []
try:
    while len(held) < 5000: held.append(os.open(sys.argv[1], os.O_RDONLY))
except OSError as e:
    print(len(held), e.errno, flush=True)
try: os.open(sys.argv[1] + '-new', os.O_CREAT | os.O_WRONLY)
except OSError as e: print(e.errno, os.path.lexists(sys.argv[1] + '-new'), flush=True)
sys.stdin.read()
`;
const ENFILE = 23;

t.test(
  'one caller that opens all it can keeps nobody from calling, nor others from opening',
  needsRoot,
  async (t) => {
    const real = temporaryDir(t);
    chmodSync(real, 0o755);
    writeFileSync(join(real, 'f'), 'text');
    const up = await Up.start(t, {
      bundled: true,
      openFiles: 250,
      args: ['--export', `data=${real}:rw`, '--allow-other', '--allow-uid', String(STRANGER_UID)],
    });
    chmodSync(join(up.dir, '..'), 0o755);
    const shown = join(up.dir, 'nodes/local/fs/data');
    const greedy = spawn('python3', ['-c', GREEDY, join(shown, 'f')], { stdio: 'pipe' });
    t.teardown(() => greedy.kill());
    let printed = '';
    greedy.stdout.on('data', (text: Buffer) => (printed += text.toString()));
    await until(() => printed.split('\n').length === 3, 'the refusal');
    const [held, errno, create, exists] = printed.trim().split(/\s+/);
    t.ok(Number(held) >= 64 && Number(held) < 200, `${held} are held`);
    t.same([Number(errno), Number(create), exists], [ENFILE, ENFILE, 'False']);

    const call = `cd ${up.service('echo')} && for i in 1 2 3; do echo '{"text":"hi"}' >control/invoke.json || exit; done; cat result.json`;
    t.match(await shell(call), { status: 0, stderr: '', stdout: /hi/ }, 'calls go on');
    t.match(await shell(`ls -l ${shown}`), { status: 0, stdout: /f\n/ });
    const { stdout, stderr } = await runAs(STRANGER_UID, ['cat', join(shown, 'f')]);
    t.same([stdout, stderr], ['text', ''], 'others find some left');
    t.match(up.said, /refused more open files of exports/);
    t.equal(up.said.match(/refused more open files/g)?.length, 1, 'one line says it');

    greedy.stdin.end();
    await once(greedy, 'exit');
    await until(async () => (await shell(`cat ${shown}/f`)).status === 0, 'room again');
  },
);
