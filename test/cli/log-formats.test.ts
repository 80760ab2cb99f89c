import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, openSync, closeSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { journalFields, journalLine, jsonLine, textLine } from '../../lib/cli/log-format.js';
import { PROGRAM, Up, acheron } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { shell } from '../support/plane-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const ENTRY = {
  level: 'warn',
  message: 'It\u001b[31m happened.',
  facts: {
    invocation_id: 'i-1',
    note: 'two\nlines',
    error: new Error('why'),
    level: 'mine',
    none: undefined,
  },
} as const;

t.test('one entry in each format', async (t) => {
  t.match(
    textLine(ENTRY),
    /^\S+Z warn {2}It\\x1b\[31m happened\. invocation_id=i-1 note="two\\nlines" error=why level=mine\n$/,
  );
  t.match(JSON.parse(jsonLine(ENTRY)), {
    level: 'warn',
    invocation_id: 'i-1',
    note: 'two\nlines',
    error: 'why',
  });
  t.match(journalLine(ENTRY), /^<4>It\\x1b\[31m happened\. invocation_id=i-1/);
  const fields = journalFields(ENTRY).toString('latin1');
  t.match(fields, /^MESSAGE=It/);
  t.match(fields, '\nPRIORITY=4\nSYSLOG_IDENTIFIER=acheron\nACHERON_INVOCATION_ID=i-1\n');
  t.match(
    fields,
    '\nACHERON_NOTE\n\x09\0\0\0\0\0\0\0two\nlines\n',
    'a value of two lines has its length before it',
  );
});

t.test('--log-format json logs each call with its id, a JSON object a line', async (t) => {
  const up = await Up.start(t, {
    manifests: [shellManifest('hello', `printf '{"ok":true}'`)],
    args: ['--log-format', 'json', '--log-level', 'info'],
  });
  t.match(await acheron(['invoke', 'hello', '{}', '--state-dir', up.stateDir]), { status: 0 });
  const lines = (): Record<string, unknown>[] =>
    up.said
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const ended = () => lines().find(({ message }) => message === 'A call has ended.');
  await until(() => ended() !== undefined, 'the line');
  const status = JSON.parse(await readFile(up.service('hello', 'status.json'), 'utf8')) as {
    invocation_id: string;
  };
  t.match(ended(), { level: 'info', service: 'hello', state: 'ok', invocation_id: status.invocation_id });
});

t.test('the level can be changed by a control file while it runs, which is on record', async (t) => {
  const up = await Up.start(t, { manifests: [shellManifest('hello', `printf '{"ok":true}'`)] });
  const file = `${up.dir}/control/log_level.json`;
  t.match(await shell(`echo '{"level":"loud"}' > ${file}`), { status: 1 });
  t.match(await shell(`echo '{"level":"debug"}' > ${file}`), { status: 0 });
  t.match(await acheron(['invoke', 'hello', '{}', '--state-dir', up.stateDir]), { status: 0 });
  await until(
    () => /debug A call begins\. invocation_id=\S+ service=hello/.test(up.said),
    'what was not logged before',
  );
  t.match(await readFile(`${up.dir}/control/audit.ndjson`, 'utf8'), /"act":"control\/log_level"/);
});

t.test(
  'a server whose standard error is the journal gives each line its priority, and no time',
  async (t) => {
    const dir = temporaryDir(t);
    const services = join(dir, 'services');
    mkdirSync(services);
    writeFileSync(join(services, 'bad.json'), '{', { mode: 0o600 });
    const file = join(dir, 'journal');
    const journal = openSync(file, 'a');
    const { dev, ino } = fstatSync(journal);
    const args = ['node', '--node-name', 'n', '--state-dir', join(dir, 'state'), '--services-dir', services];
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      env: { ...cleanEnvironment(), JOURNAL_STREAM: `${dev}:${ino}` },
      stdio: ['ignore', 'ignore', journal],
    });
    closeSync(journal);
    t.teardown(async () => {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
    });
    // Where this machine has a journal, it is there.
    const inJournal = async () =>
      (await shell(`journalctl -q --no-pager _PID=${child.pid} -o export 2>/dev/null`)).stdout.includes(
        'PRIORITY=3',
      );
    await until(
      async () => /^<3>.*bad\.json/m.test(readFileSync(file, 'utf8')) || (await inJournal()),
      'the line',
      60_000,
    );
    t.notMatch(readFileSync(file, 'utf8'), /^\d{4}-/m);
  },
);
