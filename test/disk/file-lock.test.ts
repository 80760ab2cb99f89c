import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import t from 'tap';
import { FileLock } from '../../lib/disk/index.js';
import { temporaryDir } from '../support/test-node.js';

t.test('a lock is had once, in this process too, and again after its release', (t) => {
  const path = join(temporaryDir(t), 'lock');
  const lock = FileLock.tryAcquire(path);
  t.ok(lock);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(FileLock.tryAcquire(path), undefined);
  lock?.release();
  const again = FileLock.tryAcquire(path);
  t.ok(again);
  again?.release();
  t.end();
});

t.test('a process that is killed leaves its lock free; what it started does not hold it', async (t) => {
  const path = join(temporaryDir(t), 'lock');
  const disk = new URL('../../lib/disk/index.js', import.meta.url).href;
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { FileLock } from ${JSON.stringify(disk)};
       import { spawn } from 'node:child_process';
       FileLock.tryAcquire(${JSON.stringify(path)});
       const heir = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
       console.log(heir.pid);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [pid] = (await once(child.stdout, 'data')) as [Buffer];
  t.teardown(() => process.kill(Number(pid), 'SIGKILL'));
  t.equal(FileLock.tryAcquire(path), undefined, 'held by the other process');
  child.kill('SIGKILL');
  await once(child, 'close');
  const lock = FileLock.tryAcquire(path);
  t.ok(lock);
  lock?.release();
});

t.test('a release that locks an empty SQLite database and this one keep each other out', (t) => {
  const path = join(temporaryDir(t), 'lock');
  const database = new Database(path);
  t.teardown(() => database.close());
  database.exec('BEGIN EXCLUSIVE');
  t.equal(FileLock.tryAcquire(path), undefined);
  database.exec('ROLLBACK');
  const lock = FileLock.tryAcquire(path);
  t.throws(() => database.exec('BEGIN EXCLUSIVE'), { code: 'SQLITE_BUSY' });
  lock?.release();
  database.exec('BEGIN EXCLUSIVE');
  database.exec('ROLLBACK');
  t.end();
});

t.test('what is in the file does not matter; a directory in its place is named, with what to do', (t) => {
  const dir = temporaryDir(t);
  writeFileSync(join(dir, 'filled'), Buffer.alloc(5000, 0xab));
  const lock = FileLock.tryAcquire(join(dir, 'filled'));
  t.ok(lock);
  lock?.release();
  mkdirSync(join(dir, 'taken'));
  t.throws(() => FileLock.tryAcquire(join(dir, 'taken')), {
    code: 'EIO',
    message: /The lock file .*taken cannot be opened/,
    hint: /Remove what is there/,
  });
  t.end();
});
