import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Load } from '../support/load.js';
import { mountDirFor } from '../support/mount-child.js';
import { linesOf, NodeProcess, Program, untilOnline } from '../support/plane-processes.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { ReplicaProcess } from '../support/replica-processes.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

const PIECE = 64 * 1024;

t.test(
  'three replicas are restarted one after the other, and not one operation fails',
  { skip: noPostgres },
  async (t) => {
    const store = PostgresServer.url(await PostgresServer.primary(t));
    const first = await ReplicaProcess.start(t, store);
    const rest = await Promise.all([ReplicaProcess.start(t, store), ReplicaProcess.start(t, store)]);
    const replicas = [first, ...rest];
    const url = replicas.map((replica) => replica.url).join(',');

    const admin = first.client(first.token('admin'));
    const { invite_token: invite } = await admin.request('node_invite_create', {});
    admin.close();
    const exported = temporaryDir(t);
    const content = randomBytes(1024 * 1024);
    writeFileSync(join(exported, 'large'), content);
    const calls = join(exported, 'calls');
    writeFileSync(calls, '');
    const service = shellManifest('echo', `read -r line; echo "$line" >> ${calls}; echo "$line"`);
    const node = new NodeProcess(t, { url }, 'n1', [service]);
    node.start(invite, ['--export', `box=${exported}:rw:as=${process.getuid!()}`]);

    const mount = mountDirFor(t);
    const mounting = new Program(t, [
      ...['mount', mount, '--control-url', url, '--token-file', join(first.stateDir, 'admin.token')],
      ...['--state-dir', join(mount, '..', 'state')],
    ]);
    await mounting.says(/Mounted on/);
    await untilOnline(mount, 'n1');
    await until(
      async () => (await readFile(join(mount, 'nodes/n1/fs/box/calls')).catch(() => null)) !== null,
      'its files',
    );

    const echo = join(mount, 'nodes/n1/services/echo');
    const box = join(mount, 'nodes/n1/fs/box');
    const load = new Load();
    const keys: string[] = [];
    load.repeat(async () => {
      JSON.parse(await readFile(join(mount, 'nodes/NODES.json'), 'utf8'));
    });
    load.repeat(async () => {
      JSON.parse(await readFile(join(echo, 'status.json'), 'utf8'));
    });
    load.repeat(async () => {
      if (!(await readFile(join(box, 'large'))).equals(content)) throw new Error('Other content was read.');
    });
    load.repeat(async () => {
      const key = `k${keys.length}`;
      keys.push(key);
      await writeFile(join(echo, 'control/invoke.json'), `{"_key":"${key}","key":"${key}"}\n`);
    });
    let written = 0;
    load.repeat(async () => {
      const text = `${String(written++)}\n`.repeat(1000);
      await writeFile(join(box, 'written'), text);
      if (readFileSync(join(exported, 'written'), 'utf8') !== text)
        throw new Error('Other content is there.');
    });
    const held = await open(join(box, 'large'));
    t.teardown(() => held.close());
    const piece = Buffer.alloc(PIECE);
    let at = 0;
    load.repeat(async () => {
      await held.read(piece, 0, PIECE, at);
      if (!piece.equals(content.subarray(at, at + PIECE)))
        throw new Error('Other content was read by the descriptor.');
      at = (at + PIECE) % content.length;
    });

    const more = (): Promise<void> => {
      const before = load.done;
      return until(() => load.done > before + 40, 'the load goes on', 60_000);
    };
    await more();
    for (const replica of replicas) {
      const startMs = performance.now();
      await replica.program.end('SIGTERM');
      t.equal(replica.program.child.exitCode, 0, 'it ends by itself');
      const endMs = performance.now();
      await more();
      await replica.start();
      await until(() => replica.isReady(), 'it serves again', 60_000);
      t.comment(
        `stopped in ${Math.round(endMs - startMs)} ms, ${load.done} done, ${load.failures.length} failed`,
      );
      await more();
    }
    await load.end();
    t.same(load.failures, [], `of ${load.done} operations none failed`);
    const ran = linesOf(calls).map((line) => (JSON.parse(line) as { key: string }).key);
    t.same(ran.length, keys.length, 'each call ran');
    t.same(new Set(ran).size, keys.length, 'and none twice');
  },
);
