import type { Test } from 'tap';
import { shellManifest } from '../support/test-node.js';
import { Up } from '../support/acheron.js';
import { SHELLS, lacks, runShell, type ShellResult } from '../support/shells.js';

const MANIFESTS = [
  shellManifest('cat', 'cat'),
  shellManifest('fail', 'cat >/dev/null; echo broken >&2; exit 3'),
  shellManifest('slow', 'cat >/dev/null; echo began >&2; sleep 30; echo "{}"', {
    runtime: { timeout_ms: 200, kill_grace_ms: 100 },
  }),
  shellManifest('strict', 'cat', {
    schema: {
      input: {
        type: 'object',
        properties: { n: { type: 'integer' } },
        required: ['n'],
        additionalProperties: false,
      },
    },
  }),
  shellManifest(
    'progress',
    'cat >/dev/null; for i in 1 2 3; do echo "step $i" >&2; sleep 0.05; done; echo "{\\"done\\":true}"',
  ),
  {
    service_id: 'notes',
    kind: 'docs',
    runtime: { type: 'static' },
    permissions: { allow_roles: ['admin', 'user'] },
    help_md: '# Notes',
  },
];

/** What ordinary programs see when they use services as files, through a mount by `binding`. */
export function shellSuite(t: Test, binding: 'kernel' | 'fuse-native'): void {
  t.test(`ordinary programs on a mount by ${binding}`, async (t) => {
    const up = await Up.start(t, { manifests: MANIFESTS, binding });
    const run = (script: string, shell: (typeof SHELLS)[number] = 'sh'): Promise<ShellResult> =>
      runShell(shell, script, { cwd: up.service('') });
    const invokes = async (service: string): Promise<number> =>
      Number(
        (await run(`grep -o '"invokes_total": [0-9]*' ${service}/metrics.json | grep -o '[0-9]*$'`)).stdout,
      );

    for (const shell of SHELLS) {
      t.test(`${shell}: the exit status of echo is the outcome [P]`, { skip: lacks(shell) }, async (t) => {
        t.match(await run(`echo '{"a":1}' > cat/control/invoke.json && cat cat/result.json`, shell), {
          status: 0,
          stdout: '{\n  "a": 1\n}\n',
        });
        t.match(await run(`echo '{"a":1}' >> cat/control/invoke.json`, shell), { status: 0 });
        const failed = await run(`echo '{}' > fail/control/invoke.json || cat fail/last_error.txt`, shell);
        t.match(failed.stdout, /^EIO: /);
        t.match(failed.stderr, /I\/O error|Input\/output error|write error/i);
        t.not((await run(`echo '{"n":"x"}' > strict/control/invoke.json`, shell)).status, 0);
        t.match(await run(`echo '{"n":' > strict/control/invoke.json; cat strict/last_error.txt`, shell), {
          stdout: /line/,
        });
        t.not((await run('echo "$UNSET" > strict/control/invoke.json', shell)).status, 0);
        t.match((await run('cat strict/last_error.txt', shell)).stdout, /^EINVAL: The request is blank/);
        t.match(await run('touch strict/control/invoke.json; : > strict/control/invoke.json', shell), {
          status: 0,
        });
        t.not((await run(`echo '{}' > slow/control/invoke.json`, shell)).status, 0);
        t.match((await run('cat slow/status.json', shell)).stdout, /"state": "timeout"/);
      });

      t.test(`${shell}: request and reply go over one descriptor [P]`, { skip: lacks(shell) }, async (t) => {
        const { stdout, status } = await run(
          `exec 3<>cat/control/invoke.json; echo '{"me":"${shell}"}' >&3; cat <&3`,
          shell,
        );
        t.same({ stdout, status }, { stdout: `{\n  "me": "${shell}"\n}\n`, status: 0 });
      });
    }

    t.test('cat, tee, cp, dd of odd block sizes and printf deliver a request', async (t) => {
      const file = `${up.stateDir}/request.json`;
      const big = JSON.stringify({ text: 'x'.repeat(300_000) });
      const { writeFile } = await import('node:fs/promises');
      await writeFile(file, big);
      const before = await invokes('cat');
      for (const command of [
        `cat ${file} > cat/control/invoke.json`,
        `tee cat/control/invoke.json < ${file} > /dev/null`,
        `cp ${file} cat/control/invoke.json`,
        `dd if=${file} of=cat/control/invoke.json bs=777 status=none`,
        `dd if=${file} of=cat/control/invoke.json bs=131071 status=none`,
        `dd if=${file} of=cat/control/invoke.json bs=4M status=none conv=notrunc`,
      ]) {
        const { status, stderr } = await run(command);
        t.same({ status, stderr }, { status: 0, stderr: '' }, command);
        t.equal((await run('wc -c < cat/result.json')).stdout.trim(), String(big.length + 6), command);
      }
      t.equal(await invokes('cat'), before + 6);
    });

    t.test('touch, : >, truncate and chmod run nothing', async (t) => {
      const before = await invokes('cat');
      for (const command of [
        'touch',
        'touch -d 2001-02-03',
        ': >',
        'truncate -s 0',
        'perl -e "truncate(shift, 0) or exit 1"',
        'chmod 600',
        'chown 1:1',
      ])
        t.match(await run(`${command} cat/control/invoke.json`), { status: 0 }, command);
      t.match(await run('stat -c %a:%Y:%s cat/control/invoke.json cat/control/submit.json | uniq | wc -l'), {
        stdout: '1\n',
      });
      t.equal(await invokes('cat'), before);
    });

    t.test('what cannot be written to keeps its owner, mode, times and size, and says so', async (t) => {
      const files = 'cat/README.md cat/status.json cat/jobs cat .';
      const attributes = `stat -c '%n %a %u:%g %s %Y' ${files}`;
      const before = (await run(attributes)).stdout;
      for (const command of [
        'touch -d 2001-02-03',
        'touch',
        'chown 1:1',
        'chgrp 1',
        'chmod 777',
        'truncate -s 0',
      ])
        for (const file of files.split(' ')) {
          const { status, stderr } = await run(`${command} ${file}`);
          t.not(status, 0, `${command} ${file}`);
          t.match(stderr, /not permitted|denied|Is a directory/);
        }
      t.equal((await run(attributes)).stdout, before);
    });

    t.test('programs that write again on close run a failing driver once [P]', async (t) => {
      const before = await invokes('fail');
      const python = await run(`python3 -c "
f = open('fail/control/invoke.json', 'w')
f.write('{}')
f.close()"`);
      t.not(python.status, 0);
      t.match(python.stderr, /Input\/output error/);
      t.equal(await invokes('fail'), before + 1, 'Python, buffered');
      await run(`python3 -c "
import os
fd = os.open('fail/control/invoke.json', os.O_WRONLY)
for _ in range(3):
    try: os.write(fd, b'{}')
    except OSError: pass"`);
      t.equal(await invokes('fail'), before + 2, 'Python, unbuffered, three times');
      const node = await run(`${process.execPath} -e "
const stream = require('fs').createWriteStream('fail/control/invoke.json');
stream.on('error', (error) => { console.log(error.code); process.exit(7); });
stream.end('{}');"`);
      t.match(node, { status: 7, stdout: 'EIO\n' });
      t.equal(await invokes('fail'), before + 3, 'Node, a stream');
    });

    t.test('sed -i fails cleanly and changes nothing', async (t) => {
      const { status } = await run(`sed -i s/a/b/ cat/config.json`);
      t.not(status, 0);
      t.match(await run('cat cat/config.json; ls cat'), { stdout: /^\{\}\n/ });
      t.notMatch((await run('ls -a cat')).stdout, /sed/);
    });

    t.test('nothing can be created, renamed or removed in a service', async (t) => {
      for (const command of [
        'mkdir cat/x',
        'touch cat/x',
        'rm cat/README.md',
        'rmdir cat/control',
        'mv cat/README.md cat/y',
        'ln -s a cat/b',
        'mkdir x',
      ]) {
        const { status, stderr } = await run(command);
        t.not(status, 0, command);
        t.match(stderr, /Operation not permitted|Permission denied/, command);
      }
    });

    t.test('vim saves a request in place, and the save is the call', { skip: lacks('vim') }, async (t) => {
      const { status } = await runShell(
        'sh',
        `vim -u NONE -es -c 'normal ggdG' -c 'call setline(1, "{\\"from\\": \\"vim\\"}")' -c 'wq' cat/control/invoke.json`,
        { cwd: up.service('') },
      );
      t.equal(status, 0);
      t.match((await run('cat cat/result.json')).stdout, /"from": "vim"/);
    });

    t.test('jq pipelines read and write', { skip: lacks('jq') }, async (t) => {
      await run(`jq -n '{n: 41}' > cat/control/invoke.json`);
      t.match(await run('jq .n+1 cat/result.json'), { stdout: '42\n', status: 0 });
    });

    t.test('submit.json returns at once, and tail -f follows stderr of the job', async (t) => {
      const { stdout } =
        await run(`echo '{}' > progress/control/submit.json && timeout 5 tail -s 0.05 -f --pid=$$ progress/jobs/latest/stderr & tail=$!
        while ! grep -q '"state": "ok"' progress/status.json; do sleep 0.05; done; sleep 0.3; kill $tail`);
      t.match(stdout, /step 1\nstep 2\nstep 3\n/);
    });

    t.test('rm -r of a job forgets it', async (t) => {
      await run(`echo '{"x":1}' > cat/control/invoke.json`);
      const { status, stderr } = await run(
        'id=$(readlink cat/jobs/latest); rm -r cat/jobs/$id && ! test -e cat/jobs/$id',
      );
      t.same({ status, stderr }, { status: 0, stderr: '' });
    });

    t.test(
      'reads never run a driver and never hang: grep -r, tar, find and rsync of the whole mount finish [P]',
      { skip: lacks('rsync') },
      async (t) => {
        const before = await invokes('cat');
        for (const command of [
          `grep -r nothing-like-this ${up.dir}`,
          `tar cf /dev/null -C ${up.dir} .`,
          `find ${up.dir} -type f -size -1k`,
          `du -s ${up.dir}`,
          `ls -lR ${up.dir}`,
        ]) {
          const { timedOut } = await run(command);
          t.notOk(timedOut, command);
        }
        t.match(await run(`rsync -a ${up.dir}/nodes ${up.stateDir}/copy`), { status: 0, timedOut: false });
        t.equal(await invokes('cat'), before);
      },
    );

    t.test('st_size equals the bytes that a read returns [P]', async (t) => {
      const { stdout } = await run(
        `find . -type f ! -path '*/jobs/*' | while read -r f; do s=$(stat -c %s "$f"); r=$(cat "$f" | wc -c); [ "$s" = "$r" ] || echo "$f $s $r"; done`,
      );
      t.equal(stdout, '');
    });

    t.test('df, stat -f and test -w give sensible answers', async (t) => {
      t.equal(
        (
          await run(
            `df ${up.dir} && stat -f ${up.dir} && test -w cat/control/invoke.json && ! test -w cat/README.md`,
          )
        ).status,
        0,
      );
      t.not((await run('echo x > cat/README.md')).status, 0);
    });

    t.test('a static service is only files', async (t) => {
      t.match(await run('head -1 notes/README.md; ls notes'), { stdout: /^# Notes\n/ });
      t.not((await run('ls notes/control')).status, 0);
    });

    t.test('names of prototypes are no files', async (t) => {
      t.not((await run('stat cat/__proto__ || stat cat/constructor')).status, 0);
    });
  });
}
