import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { extract } from 'tar';
import t, { type Test } from 'tap';
import { connect } from '../../lib/api/index.js';
import { ControlStore, restoreControl } from '../../lib/control/index.js';
import type { JsonObject } from '../../lib/core/index.js';
import { readLogFacts, recordAt, recordFrom } from '../../lib/disk/index.js';
import { silentLog } from '../../lib/core/index.js';
import { restoreNode } from '../../lib/node/index.js';
import { acheron } from '../support/acheron.js';
import { Program } from '../support/plane-processes.js';
import { temporaryDir, TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

/** What earlier releases have left, each as `freeze` in it says. */
const FIXTURES = join(import.meta.dirname, '..', '..', '..', 'test', 'fixtures');
const frozen = readdirSync(FIXTURES).filter((name) => name.startsWith('state-'));

interface Unpacked {
  readonly dir: string;
  readonly plane: string;
  readonly node: string;
}

async function unpacked(t: Test, from: string): Promise<Unpacked> {
  const dir = temporaryDir(t);
  for (const of of ['plane', 'node'])
    await extract({ file: join(FIXTURES, from, `${of}.tgz`), cwd: dir, preserveOwner: false });
  return { dir, plane: join(dir, 'plane'), node: join(dir, 'node') };
}

async function restored(t: Test, from: string): Promise<Unpacked> {
  const dir = temporaryDir(t);
  const [plane, node] = [join(dir, 'plane'), join(dir, 'node')];
  const place = { replace: false, nowMs: Date.now() };
  await restoreControl(plane, join(FIXTURES, from, 'plane-backup.tgz'), place);
  await restoreNode(join(FIXTURES, from, 'node-backup.tgz'), {
    ...place,
    stateFile: join(node, 'node.json'),
  });
  return { dir, plane, node };
}

const textOf = (from: string, name: string): string => readFileSync(join(FIXTURES, from, name), 'utf8');
const wasIn = <Shape>(from: string, name: string): Shape => JSON.parse(textOf(from, `was/${name}`)) as Shape;

/** Documents one after the other, as `cat` prints them. */
const documentsIn = (text: string): JsonObject[] =>
  text.split(/^(?=\{$)/m).map((one) => JSON.parse(one) as JsonObject);

for (const from of frozen)
  for (const [how, open] of [
    ['as it was left', unpacked],
    ['out of its backups', restored],
  ] as const)
    t.test(`${from}, ${how}: control plane and node serve what was there`, async (t) => {
      const { dir, plane, node } = await open(t, from);
      mkdirSync(join(dir, 'services'));
      cpSync(join(FIXTURES, from, 'echo.json'), join(dir, 'services', 'echo.json'));
      const control = new Program(t, ['control', '--port', '0', '--state-dir', plane]);
      const [, url = ''] = await control.says(/(ws:\/\/[\d.]+:\d+)/);
      const served = new Program(t, [
        ...['node', '--node-name', 'n1', '--state-dir', node, '--services-dir', join(dir, 'services')],
        ...['--control-url', url, '--listen', '0', '--reconnect-backoff-ms', '20'],
      ]);
      await served.says(/is running/);
      const token = readFileSync(join(plane, 'admin.token'), 'utf8').trim();
      const admin = await connect({ url, token });
      t.teardown(() => admin.close());
      const read = async (path: string): Promise<JsonObject> =>
        JSON.parse(await admin.read(path)) as JsonObject;
      await until(
        async () => (await read('/nodes/n1/STATUS.json'))['state'] === 'online',
        'the node',
        60_000,
      );

      const service = '/nodes/n1/services/echo';
      t.same(await read(`${service}/result.json`), wasIn(from, 'result.json'), 'the last result');
      const jobs = documentsIn(textOf(from, 'was/jobs.txt'));
      t.ok(jobs.length >= 8);
      for (let at = 0; at < jobs.length; at += 2) {
        const [request, status] = jobs.slice(at, at + 2) as [JsonObject, JsonObject];
        const job = `${service}/jobs/${status['invocation_id'] as string}`;
        t.same(await read(`${job}/request.json`), request);
        t.match(await read(`${job}/status.json`), status, `job ${at / 2} as it ended`);
      }
      t.match(
        await read(`${service}/metrics.json`),
        { invokes_total: 4, failures_total: 1 },
        'counters go on',
      );
      t.same(await admin.invoke('n1/echo', { again: true }), { again: true }, 'it takes calls');

      const asAdmin = ['--control-url', url, '--token-file', join(plane, 'admin.token'), '--json'];
      const json = async (...args: string[]): Promise<JsonObject[]> =>
        JSON.parse((await acheron([...args, ...asAdmin])).stdout) as JsonObject[];
      // Where its manifest lies now is another matter.
      const history = wasIn<JsonObject[]>(from, 'history.json').map(
        ({ source: _source, ...change }) => change,
      );
      t.match(await json('history', 'n1/echo'), history, 'the same history');
      t.match(await json('token', 'list'), wasIn(from, 'token.json'), 'the same tokens');
      t.match(await json('project', 'list'), wasIn(from, 'project.json'), 'the same projects');
      const audited = (await acheron(['audit', '--after', '0', ...asAdmin])).stdout;
      t.ok(audited.startsWith(textOf(from, 'was/audit.ndjson')), 'the audit log goes on where it was');

      const user = await connect({ url, token: textOf(from, 'user.token').trim() });
      t.teardown(() => user.close());
      t.match(JSON.parse(await user.read('/session.json')), { role: 'user', agent_id: 'claude' });
      const [, listensAt = ''] = await served.says(/It listens on (ws:\S+\d)/);
      const direct = await connect({
        url: listensAt,
        token: readFileSync(join(node, 'node.json.listen', 'admin.token'), 'utf8').trim(),
      });
      t.teardown(() => direct.close());
      t.ok((await direct.list('/nodes')).includes('n1'), 'the listener knows its tokens');
    });

/** A state's files by name with their digests. */
function digestsOf(dir: string): Record<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  const files = names.filter(
    (name) => statSync(join(dir, name)).isFile() && !/\.(?:lock|reserve|processes)$/.test(name),
  );
  return Object.fromEntries(
    files.sort().map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  );
}

const LATER = 99;

/** Makes the first record of a log say that a later release wrote it. */
function age(dir: string, name: string, salted: boolean): void {
  const path = join(dir, name);
  const bytes = readFileSync(path);
  const { salt } = salted ? readLogFacts(join(path, '..'), silentLog) : { salt: 0 };
  const first = recordAt(bytes, 0, 0) ?? recordAt(bytes, 0, salt)!;
  const { len: _len, ...header } = first.header;
  const { record } = recordFrom({ ...header, format: LATER }, [], recordAt(bytes, 0, 0) === null ? salt : 0);
  writeFileSync(path, Buffer.concat([record, bytes.subarray(first.end)]));
}

/** The file is one JSON document, or begins with a line that is one. */
function ageJson(dir: string, name: string): void {
  const path = join(dir, name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"format":( ?)\d+/, `"format":$1${LATER}`));
}

const newest = frozen.at(-1)!;
for (const [name, later] of [
  ['node.json.runtime-services.json', ageJson],
  ['node.json.history.ndjson', ageJson],
  ['node.json.reloads.ndjson', ageJson],
  ['node.json.jobs/echo/00000001.log', (dir, of) => age(dir, of, true)],
  ['node.json.jobs/echo/keys/00000001.log', (dir, of) => age(dir, of, false)],
] as const satisfies [string, (dir: string, name: string) => void][])
  t.test(`${name} of a later release is refused with a sentence, and nothing is changed`, async (t) => {
    const { dir, node } = await unpacked(t, newest);
    later(node, name);
    mkdirSync(join(dir, 'manifests'));
    cpSync(join(FIXTURES, newest, 'echo.json'), join(dir, 'manifests', 'echo.json'));
    const before = digestsOf(node);
    const stateFile = join(node, 'node.json');
    await t.rejects(TestNode.on(t, dir, { stateFile }), {
      code: 'EPROTO',
      message: /written by a (?:newer|later) (?:version|release)/,
      hint: /up to \d+/,
    });
    const after = digestsOf(node);
    // A node whose manifests were read has said so there before it came to the jobs.
    if (name.includes('jobs')) after['node.json.reloads.ndjson'] = before['node.json.reloads.ndjson']!;
    t.same(after, before);
  });

t.test('the pairing and the database of a later release are refused likewise', async (t) => {
  const { node, plane } = await unpacked(t, newest);
  ageJson(node, 'node.json');
  const database = join(plane, 'control.db');
  const bytes = readFileSync(database);
  bytes.writeUInt32BE(LATER, 60);
  writeFileSync(database, bytes);
  const before = [digestsOf(node), digestsOf(plane)];
  t.match(await acheron(['node', '--state-dir', node, '--control-url', 'ws://127.0.0.1:9']), {
    status: 1,
    stderr: /has format 99; this release reads up to 1\..*Use Acheron 0\.1\.0/s,
  });
  t.throws(() => new ControlStore({ stateDir: plane }), { code: 'EINVAL', message: /format 99/ });
  t.same([digestsOf(node), digestsOf(plane)], before);
});
