import { readFile } from 'node:fs/promises';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { runShell } from '../support/shells.js';
import { shellManifest } from '../support/test-node.js';

/** Larger than the largest WRITE of either reader. */
const LARGE = 3 * 1024 * 1024;

/** Writes a request of so many bytes in one call, and what was not taken again and again; prints how each went. */
const WRITE = `
import errno, json, os, sys
path, size = sys.argv[1], int(sys.argv[2])
data = b'{"pad":"' + b'x' * (size - 10) + b'"}'
fd = os.open(path, os.O_WRONLY)
took, at = [], 0
for _ in range(4):
    try:
        count = os.write(fd, data[at:])
        at += count
        took.append('all' if at == size else 'some')
    except OSError as error:
        took.append(errno.errorcode[error.errno])
    if at == size: break
try: os.close(fd)
except OSError as error: took.append('close: ' + errno.errorcode[error.errno])
print(json.dumps(took))
`;

t.test('a request that the kernel splits', async (t) => {
  const limits = { runtime: { max_payload_bytes: 2 * LARGE, max_output_bytes: 2 * LARGE } };
  const up = await Up.start(t, {
    binding: 'kernel',
    manifests: [
      shellManifest('count', 'wc -c | { read n; echo "{\\"bytes\\":$n}"; }', limits),
      shellManifest('fail', 'cat >/dev/null; exit 3', limits),
      shellManifest('small', 'cat', { runtime: { max_payload_bytes: LARGE / 2 } }),
    ],
  });
  const write = async (service: string): Promise<string[]> => {
    const target = up.service(service, 'control/invoke.json');
    const { stdout, stderr } = await runShell('sh', 'python3 -c "$P" "$T" "$S"', {
      cwd: '/',
      env: { P: WRITE, T: target, S: String(LARGE) },
    });
    t.equal(stderr, '');
    return JSON.parse(stdout) as string[];
  };
  const invokes = async (service: string): Promise<number> =>
    (JSON.parse(await readFile(up.service(service, 'metrics.json'), 'utf8')) as { invokes_total: number })
      .invokes_total;

  t.test('arrives whole, and runs once', async (t) => {
    t.same(await write('count'), ['all']);
    t.match(JSON.parse(await readFile(up.service('count', 'result.json'), 'utf8')), { bytes: LARGE });
    t.equal(await invokes('count'), 1);
  });

  t.test('fails once where its last piece fails, however often the rest is written again [P]', async (t) => {
    const took = await write('fail');
    t.equal(took[0], 'some', 'the kernel reports how much was taken before the failure');
    t.same(new Set(took.slice(1)), new Set(['EIO']), 'the writer of the rest gets the error');
    t.equal(await invokes('fail'), 1);
  });

  t.test('is refused as too large, and runs nothing, where it grows over the limit', async (t) => {
    const took = await write('small');
    t.same(new Set(took.filter((how) => how !== 'some')), new Set(['EFBIG']));
    t.match(await readFile(up.service('small', 'status.json'), 'utf8'), /"error"|"idle"/);
    t.notMatch(await readFile(up.service('small', 'result.json'), 'utf8'), /pad/);
  });
});
