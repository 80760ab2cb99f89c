import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { FsError, reasonOf } from '../../lib/core/index.js';

const dir = await mkdtemp(join(tmpdir(), 'acheron-words-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));

const thrownBy = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => t.fail('it must fail'),
    (thrown: unknown) => thrown,
  );

t.test('what the system refuses is said in words, with the path, and what to do', async (t) => {
  const missing = join(dir, 'missing');
  const file = join(dir, 'file');
  await writeFile(file, '');
  const enoent = FsError.from(await thrownBy(readFile(missing)));
  t.match(enoent, {
    code: 'ENOENT',
    message: `${missing} cannot be opened: there is no such file or directory.`,
  });
  t.equal(enoent.path, missing);
  t.ok(enoent.hint);
  t.match(FsError.from(await thrownBy(readdir(file))), {
    code: 'ENOTDIR',
    message: `${file} cannot be listed: it, or a part of its path, is not a directory.`,
  });
  t.match(FsError.from(await thrownBy(readFile(dir))).message, /cannot be read: it is a directory\.$/i);
  t.equal(
    reasonOf(await thrownBy(readFile(missing))),
    'there is no such file or directory',
    'for a sentence that has the path already',
  );
});

t.test('a peer that is not there is said in words', async (t) => {
  const refused = await new Promise<Error>((resolve) => connect(1, '127.0.0.1').once('error', resolve));
  t.equal(reasonOf(refused), 'nothing listens there');
  t.match(FsError.from(refused), {
    code: 'EHOSTDOWN',
    message: 'There is no connection to 127.0.0.1:1: nothing listens there.',
  });
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND plane.example'), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname: 'plane.example',
  });
  t.equal(reasonOf(unknown), 'no machine is known by the name plane.example');
  const noTls = Object.assign(
    new Error('write EPROTO 80AC:error:0A00010B:SSL routines:wrong version number:'),
    {
      code: 'EPROTO',
      syscall: 'write',
    },
  );
  t.equal(reasonOf(noTls), 'what answers there does not speak TLS');
});

t.test('sentences that are ours stay as they are', async (t) => {
  const ours = new FsError('EBUSY', 'It is taken.', { hint: 'Wait.' });
  t.equal(FsError.from(ours), ours);
  t.equal(reasonOf(ours), 'It is taken');
  t.equal(FsError.from(new Error('odd')).message, 'odd');
  t.equal(reasonOf('text'), 'Unexpected failure: text');
});
