import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { acheron } from '../support/acheron.js';
import { mountDirFor } from '../support/mount-child.js';
import { NodeProcess, Program, shell, untilOnline } from '../support/plane-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

const LOGS = ['--log-level', 'info', '--log-format', 'json'];

/** The lines of a log that name a call. */
const callsIn = (program: Program): JsonObject[] =>
  program.said
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"call"'))
    .map((line) => JSON.parse(line) as JsonObject);

t.test(
  'a call has one id in the logs of mount, control plane and node, and the driver has it too',
  async (t) => {
    const dir = temporaryDir(t);
    const state = join(dir, 'plane');
    const control = new Program(t, ['control', '--port', '0', '--state-dir', state, ...LOGS]);
    const [, url = ''] = await control.says(/(ws:\/\/[\d.]+:\d+)/);
    await control.says(/Tokens:/);
    const invite = await acheron(['invite', 'create', '--state-dir', state]);
    const node = new NodeProcess(t, { url }, 'n1', [
      shellManifest('s', `printf %s "$TRACEPARENT" > ${dir}/trace; cat`),
    ]).start(invite.stdout.trim(), LOGS);
    const at = mountDirFor(t);
    const token = ['--token-file', join(state, 'admin.token')];
    const mount = new Program(t, [
      'mount',
      at,
      '--control-url',
      url,
      ...token,
      '--state-dir',
      join(dir, 'm'),
      ...LOGS,
    ]);
    await mount.says(/Mounted on/);
    await untilOnline(at, 'n1');
    const invoke = `${at}/nodes/n1/services/s/control/invoke.json`;

    t.match(await shell(`echo '{"n":1}' > ${invoke}`), { status: 0 });
    const logs = [mount, control, node.program];
    await until(() => logs.every((program) => callsIn(program).length === 1), 'a line in each log', 30_000);
    const [call, ...others] = logs.map((program) => callsIn(program)[0]!['call']);
    t.match(call, /^[0-9a-f]{32}$/);
    t.same(others, [call, call], 'one id in all of them');
    t.match(
      callsIn(node.program)[0],
      { invocation_id: String, state: 'ok' },
      'with the id that its files have',
    );
    t.equal(readFileSync(join(dir, 'trace'), 'utf8').split('-')[1], call);

    t.comment('a call whose request names what caused it has that id');
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    t.match(await shell(`echo '{"_traceparent":"00-${trace}-00f067aa0ba902b7-01"}' > ${invoke}`), {
      status: 0,
    });
    await until(() => logs.every((program) => callsIn(program).length === 2), 'a further line', 30_000);
    t.same(
      logs.map((program) => callsIn(program)[1]!['call']),
      [trace, trace, trace],
    );
  },
);
