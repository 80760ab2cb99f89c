import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { cleanEnvironment, mountDirFor } from '../support/mount-child.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

// A caller that opens control/invoke.json once and calls again and again: each request and each reply is one request of
// the kernel, and nothing else is asked.

const PROGRAM = fileURLToPath(new URL('../support/counting-program.js', import.meta.url));
const CALLS = 20;

/** Calls by threads, each with a descriptor of its own; prints how many replies were its own. */
const CALLER = `
import json, os, sys, threading
path, calls, threads, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
own = []
def work(thread):
    fd = os.open(path, os.O_RDWR)
    for call in range(calls):
        text = '{"text":"%d of %d"}' % (call, thread)
        if how == 'at 0':
            os.pwrite(fd, text.encode(), 0)
            reply = os.pread(fd, 65536, 0)
        else:
            os.write(fd, text.encode())
            reply = os.read(fd, 65536)
        own.append(json.loads(reply) == json.loads(text))
    os.close(fd)
all = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
for one in all: one.start()
for one in all: one.join()
print(sum(own))
`;

async function mounted(t: Test): Promise<{ dir: string; asked: () => Promise<Record<string, number>> }> {
  const dir = mountDirFor(t);
  const folder = temporaryDir(t);
  const manifests = join(folder, 'manifests');
  mkdirSync(manifests);
  writeFileSync(
    join(manifests, 'same.json'),
    JSON.stringify(shellManifest('same', 'cat', { runtime: { max_queue: 64 } })),
  );
  const args = ['up', dir, '--state-dir', join(folder, 'state'), '--services-dir', manifests];
  const more = ['--no-bundled', '--no-control', '--fuse-binding', 'kernel'];
  const stdio = ['ignore', 'pipe', 'inherit', 'ipc'] as const;
  const child: ChildProcess = fork(PROGRAM, [...args, ...more], {
    env: cleanEnvironment(),
    stdio: [...stdio],
  });
  t.teardown(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let said = '';
  child.stdout!.on('data', (chunk) => (said += String(chunk)));
  await until(() => said.includes('Mounted on'), 'the mount');
  const asked = async (): Promise<Record<string, number>> => {
    child.send('asked');
    const [counts] = (await once(child, 'message')) as [Record<string, number>];
    return counts;
  };
  return { dir: join(dir, 'nodes/local/services/same'), asked };
}

t.test('a caller that keeps its descriptor asks the kernel twice a call', { timeout: 300_000 }, async (t) => {
  const { dir, asked } = await mounted(t);
  const call = async (threads: number, how: string): Promise<string> => {
    const args = ['-c', CALLER, join(dir, 'control/invoke.json'), String(CALLS), String(threads), how];
    const { stdout, stderr } = await promisify(execFile)('python3', args);
    t.equal(stderr, '');
    return stdout;
  };
  for (const [threads, how] of [
    [1, 'at 0'],
    [1, 'one after the other'],
    [16, 'at 0'],
    [16, 'one after the other'],
  ] as const) {
    const before = await asked();
    t.equal(await call(threads, how), `${threads * CALLS}\n`, `${threads}, ${how}: each reads its own reply`);
    const after = await asked();
    const came = (name: string): number => (after[`FUSE_${name}`] ?? 0) - (before[`FUSE_${name}`] ?? 0);
    t.equal(came('WRITE'), threads * CALLS, 'one write a call');
    t.equal(came('READ'), threads * CALLS, 'one read a call');
    for (const name of ['GETATTR', 'SETATTR', 'GETXATTR', 'LSEEK', 'FSYNC']) t.equal(came(name), 0, name);
    if (threads === 1) t.equal(came('OPEN'), 1);
  }
});
