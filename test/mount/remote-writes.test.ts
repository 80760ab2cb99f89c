import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { ListeningNode } from '../support/listening-node.js';
import { temporaryDir } from '../support/test-node.js';

const EHOSTDOWN = 112;

/** A mount of another machine's directory, that directory itself, and the node. */
async function farDirectory(t: Test): Promise<{ shown: string; real: string; node: ListeningNode }> {
  const real = join(temporaryDir(t), 'real');
  mkdirSync(real);
  const as = process.getuid!() === 0 ? ':as=root' : '';
  const node = await ListeningNode.start(t, ['--export', `x=${real}:rw${as}`]);
  return { shown: join(await node.mount(t, 'admin'), 'nodes/lone/fs/x'), real, node };
}

t.test('each reader on the mount sees what was written, as soon as write(2) has returned', async (t) => {
  const { shown, real } = await farDirectory(t);
  const program = `
import os, sys
path = sys.argv[1]
writer = os.open(path, os.O_RDWR | os.O_CREAT)
reader = os.open(path, os.O_RDONLY)
size = 0
for i in range(300):
    data = bytes([33 + i % 90]) * (1 + i * 37 % 9000)
    assert os.write(writer, data) == len(data)
    size += len(data)
    assert os.stat(path).st_size == size, i
    assert os.pread(reader, len(data), size - len(data)) == data, i
    fresh = os.open(path, os.O_RDONLY)
    assert os.pread(fresh, len(data), size - len(data)) == data, i
    os.close(fresh)
os.pwrite(writer, b"x" * 300000, size)
os.rename(path, path + ".moved")
assert os.stat(path + ".moved").st_size == size + 300000
os.pwrite(writer, b"y" * 300000, 5)
os.ftruncate(writer, 100)
assert os.stat(path + ".moved").st_size == 100
assert os.pread(reader, 200, 0)[5:] == b"y" * 95
os.link(path + ".moved", path + ".other")
os.pwrite(writer, b"z" * 200000, 100)
assert os.stat(path + ".other").st_size == 200100
assert [os.stat(e.path).st_size for e in os.scandir(os.path.dirname(path))] == [200100] * 2
os.close(writer)`;
  await promisify(execFile)('python3', ['-c', program, join(shown, 'file')]);
  t.equal(readFileSync(join(real, 'file.moved')).length, 200_100);
});

t.test('a node that is killed while a file is written is an error of a write or of the close', async (t) => {
  const { shown, node } = await farDirectory(t);
  const program = `
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for i in range(30): os.write(file, b"x" * 131072)
print("half", flush=True)
sys.stdin.readline()
found = []
for act in [lambda: os.write(file, b"x" * 131072)] * 3 + [lambda: os.close(file)]:
    try:
        act()
        found.append(0)
    except OSError as error: found.append(error.errno)
print(*found, flush=True)`;
  const writer = spawn('python3', ['-c', program, join(shown, 'file')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => writer.kill());
  // A line may come in parts.
  const lines = createInterface({ input: writer.stdout })[Symbol.asyncIterator]();
  t.equal((await lines.next()).value, 'half');
  await node.program.end('SIGKILL');
  writer.stdin.end('go on\n');
  const errnos = String((await lines.next()).value)
    .split(' ')
    .map(Number);
  t.equal(errnos.at(-1), EHOSTDOWN, `the close says so: ${errnos.join(' ')}`);
  t.ok(errnos.every((errno) => errno === 0 || errno === EHOSTDOWN));
});
