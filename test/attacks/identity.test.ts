import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { mountDirFor } from '../support/mount-child.js';
import { Program } from '../support/plane-processes.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';
import { answersFrom, HostileNode, type Lie } from './fixtures/hostile-node.js';

const ECHO = shellManifest('echo', 'cat');
const VICTIM = 'nodes/n1/services/echo/README.md';
/** A hostile node chooses what it is called by, and so what its numbers were once mixed with. */
const INSTANCE = 'chosen by the node';

/** Numbers by which one might hope to meet `ino`. */
function guessesAt(ino: bigint): bigint[] {
  const digest = createHash('sha256').update(INSTANCE).digest().readBigUInt64BE(0);
  const mixed = BigInt.asUintN(61, digest) | (1n << 61n);
  const guesses = [ino, ino ^ mixed, ino ^ digest, ino ^ (1n << 63n), BigInt.asUintN(53, ino), 0n, 1n];
  return guesses.map((guess) => BigInt.asUintN(64, guess));
}

const find = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

/** A control plane, its node n1, and a hostile node n2 that says of its files what `lies` says. */
async function besideHostile(lies: Record<number, Lie>): Promise<[PlaneWithNode, HostileNode]> {
  const under = await PlaneWithNode.start(t, 'through a tunnel', [ECHO]);
  const hostile = await HostileNode.join(t, {
    url: under.plane.url,
    invite: under.plane.control.store.pairing.createInvite(60_000).token,
    nodeName: 'n2',
    hello: { instance: INSTANCE },
    answering: answersFrom(lies),
  });
  return [under, hostile];
}

/** One mount of the control plane for all: what a node says of its numbers must not matter to it. */
const EXPORTS = 1000;
const lies: Record<number, Lie> = {
  1: { kind: 'dir', entries: { fs: EXPORTS } },
  [EXPORTS]: { kind: 'dir', entries: {} },
};
const [under, hostile] = await besideHostile(lies);
const dir = mountDirFor(t);
const tokenFile = join(temporaryDir(t), 'token');
writeFileSync(tokenFile, under.token('admin'), { mode: 0o600 });
const state = ['--state-dir', join(dir, '..', 'state')];
const mount = new Program(t, [
  'mount',
  dir,
  '--control-url',
  under.plane.url,
  '--token-file',
  tokenFile,
  ...state,
]);
await mount.says(/Mounted on/);

t.test('a node that claims the numbers of another node’s files gets numbers of its own', async (t) => {
  const { files } = await under.session({ token: under.token('admin') });
  const victim = await find(files, VICTIM);
  const dirs = [await find(files, ''), await find(files, 'nodes'), await find(files, 'nodes/n1')];
  const taken = new Set([victim, ...dirs].map(({ payload }) => payload['ino'] as string));
  const before = await readFile(join(dir, VICTIM), 'utf8');
  const shown = (await stat(join(dir, VICTIM), { bigint: true })).ino;
  const guesses = [...taken].flatMap((ino) => guessesAt(BigInt(ino)));
  const entries = guesses.map((ino, i) => {
    lies[i + 2] = { kind: i % 2 === 0 ? 'file' : 'dir', ino: String(ino), text: 'taken over\n' };
    return [`f${i}`, i + 2] as const;
  });
  lies[EXPORTS] = { kind: 'dir', entries: Object.fromEntries(entries) };
  hostile.push('e_fs_inval', { node: 1, what: 'all', tree: true });
  for (const [name] of entries) {
    const { payload } = await find(files, `nodes/n2/fs/${name}`);
    t.notOk(taken.has(payload['ino'] as string), `${name} at the control plane`);
    const { ino } = await stat(join(dir, 'nodes/n2/fs', name), { bigint: true });
    t.not(ino, shown, `${name} in the mount`);
    t.ok(ino < 2n ** 53n, 'a double holds it');
  }
  t.equal(await readFile(join(dir, 'nodes/n2/fs/f0'), 'utf8'), 'taken over\n');
  t.equal(await readFile(join(dir, VICTIM), 'utf8'), before);
});

t.test('what a node pushes is about its own files, whatever numbers it names', async (t) => {
  const { files } = await under.session({ token: under.token('admin') });
  const victim = await find(files, VICTIM);
  await find(files, 'nodes/n2/fs/f0');
  const own = (await find(files, 'nodes/n2/fs')).payload['node'];
  files.pushed.length = 0;
  for (let node = 2; node < 200; node++) hostile.push('e_fs_inval', { node, what: 'all' });
  hostile.push('e_fs_inval', { node: Number(victim.payload['node']), what: 'all', tree: true });
  hostile.push('e_fs_inval_dir', { dir: 1, name: 'NODES.json' });
  hostile.push('e_fs_inval', { node: 1, what: 'all', tree: true });
  const isOfTree = ({ payload }: RawFrame): boolean => payload['tree'] === true;
  await until(() => files.pushed.some(isOfTree), 'the last of what was pushed');
  const about = new Set(files.pushed.map(({ payload }) => payload['node'] ?? payload['dir']));
  t.notOk(about.has(1), 'nothing is said of the whole tree');
  t.notOk(about.has(victim.payload['node']), 'nor of the other node');
  t.strictSame(
    files.pushed.filter(isOfTree).map(({ payload }) => payload['node']),
    [own],
  );
});

t.test('numbers are below 2^53, stay the same, and their gaps count nothing', async (t) => {
  const { files } = await under.session({ token: under.token('user') });
  const found = await find(files, 'nodes/n1/services/echo');
  const listed = await files.ask('t_fs_readdirp', { node: found.payload['node'] }, { plus: true });
  const entries = listed.payload['entries'] as { name: string; ino: string }[];
  const gaps = entries.slice(1).map(({ ino }, i) => Math.abs(Number(BigInt(ino) - BigInt(entries[i]!.ino))));
  t.ok(Math.min(...gaps) > 1024, 'no two numbers are neighbours');
  for (const { name } of entries) {
    const path = join(dir, 'nodes/n1/services/echo', name);
    const { ino } = await stat(path, { bigint: true });
    t.ok(ino > 0n && ino < 2n ** 53n, name);
    t.equal((await stat(path, { bigint: true })).ino, ino);
  }
});
