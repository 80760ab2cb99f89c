import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { BINDINGS } from '../support/bindings.js';
import { mountChild, referenceFixture } from '../support/mount-child.js';
import { MANY } from '../support/reference-tree.js';
import { eachShell, runShell } from '../support/shells.js';
import { until } from '../support/until.js';

for (const { binding } of BINDINGS) {
  t.test(`${binding}: programs find an ordinary file system`, async (t) => {
    const { dir } = await mountChild(t, { fixture: referenceFixture, binding });

    eachShell(t, 'the exit status of a plain echo is the outcome of the write', dir, async (t, run) => {
      t.match(await run('echo "live fine" > control/poke'), { status: 0, stderr: '' });
      t.match(await run('cat docs/live.json'), { stdout: 'fine\n' });
      const failed = await run(
        'echo "fail EBUSY" > control/poke && echo x > control/picky; echo "status $?"',
      );
      t.match(failed.stdout, /^status [1-9]/);
      t.match(failed.stderr, /busy|I\/O error/i, 'dash knows no better word');
    });

    eachShell(t, 'redirections and test follow the mode bits, for root too', dir, async (t, run) => {
      t.match(await run('test -w control/poke && test ! -w control/denied && test -r control/denied'), {
        status: 0,
      });
      t.match((await run('echo x > control/denied')).stderr, /permission denied/i);
      t.match((await run('echo x >> README.md')).stderr, /permission denied/i);
      t.match((await run('echo x > new-file')).stderr, /(not permitted|permission denied)/i);
      t.match(await run('set -e; : > control/poke; >> control/poke; cat docs/hello.txt'), {
        status: 0,
        stdout: 'hello\n',
      });
    });

    eachShell(t, 'a descriptor keeps the document that it was opened on', dir, async (t, run) => {
      const done = await run(
        'echo "live before" > control/poke; exec 3< docs/live.json; echo "live after" > control/poke; cat <&3; cat docs/live.json',
      );
      t.match(done, { status: 0, stdout: 'before\nafter\n' });
    });

    t.test('tail -f follows a stream', async (t) => {
      const done = await runShell(
        'bash',
        `echo rotate > control/poke
         tail -n +1 -s 0.05 -f stream.ndjson > "$OUT" & tail=$!
         for word in one two three; do printf 'grow %s\\n' $word > control/poke; done
         until grep -q three "$OUT"; do sleep 0.02; done
         kill $tail; cat "$OUT"`,
        { cwd: dir, env: { OUT: join(scratchFor(t), 'out') } },
      );
      t.match(done, { timedOut: false, stdout: 'one\ntwo\nthree\n' });
    });

    t.test('find, grep -r, tar, cp and wc go over the whole tree and agree about it', async (t) => {
      const run = (script: string, options = {}) =>
        runShell('bash', script, { cwd: dir, env: { OUT: scratchFor(t) }, ...options });
      await run('echo "fail EACCES" > control/poke');
      t.equal((await run('find many -type f | wc -l')).stdout.trim(), String(MANY));
      t.equal((await run('grep -rl "^hello$" docs deep names')).stdout, 'docs/hello.txt\n');
      const tar = await run(
        'tar cf "$OUT/t.tar" --exclude restless.json docs deep names link dangling && tar df "$OUT/t.tar"',
      );
      t.match(tar, { status: 0, stdout: '', stderr: '' });
      t.match(
        await run(
          'cp -a docs "$OUT/copy" && cmp docs/large.bin "$OUT/copy/large.bin" && stat -c %Y docs/large.bin "$OUT/copy/large.bin" | uniq | wc -l',
        ),
        {
          status: 0,
          stdout: '1\n',
        },
      );
      t.match(await run('du -s --apparent-size docs/large.bin'), { stdout: /^625\t/ });
      t.match(await run('find docs -size +100k'), { stdout: 'docs/large.bin\n' });
      t.match(await run('df . | tail -1'), { stdout: /acheron-test/ });
    });

    t.test('sed -i fails cleanly and changes nothing', async (t) => {
      const done = await runShell('bash', 'sed -i s/hello/bye/ docs/hello.txt', { cwd: dir });
      t.match(done, { status: 4, stderr: /couldn't open temporary file/ });
      t.match(await runShell('bash', 'ls docs | wc -l; cat docs/hello.txt', { cwd: dir }), {
        stdout: /hello\n$/,
      });
    });

    t.test('in a writable directory the usual tools work', async (t) => {
      const done = await runShell(
        'bash',
        `set -e; mkdir work/tools; cd work/tools
         seq 1000 > numbers; sed -i s/^5$/five/ numbers; grep -n five numbers
         dd if=/dev/zero of=blocks bs=1337 count=100 status=none; wc -c < blocks
         cp -p numbers copy; cmp numbers copy; mv copy moved; ln moved hard; ln -s moved soft; cat soft | wc -l
         touch -d 2001-02-03T04:05:06Z moved; stat -c %y hard
         truncate -s 5 moved; wc -c < moved; rm -rf ../tools; ls ..`,
        { cwd: dir },
      );
      t.match(done, {
        status: 0,
        stderr: '',
        stdout: '5:five\n133700\n1000\n2001-02-03 04:05:06.000000000 +0000\n5\n',
      });
    });

    t.test('a script that takes too long is ended with all that it started', async (t) => {
      let pid = 0;
      const done = await runShell('bash', 'sleep 60 & sleep 61', {
        cwd: dir,
        timeoutMs: 200,
        onStart: (started) => (pid = started),
      });
      t.match(done, { timedOut: true, signal: 'SIGKILL' });
      await until(() => groupIsGone(pid), 'the process group to be gone');
    });
  });
}

function groupIsGone(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return false;
  } catch {
    return true;
  }
}

function scratchFor(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
