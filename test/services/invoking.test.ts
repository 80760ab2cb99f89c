import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import {
  ADMIN,
  OTHER_USER,
  READ,
  READ_WRITE,
  TestNode,
  USER,
  WRITE,
  errnoOf,
  readAll,
  shellManifest,
  temporaryDir,
} from '../support/test-node.js';

const CAT = shellManifest('cat', 'cat');
const FAIL = shellManifest('fail', 'cat >/dev/null; echo broken >&2; exit 3');
/** Runs until the file named in the payload exists, and says on stderr that it began. */
const WAIT = shellManifest('wait', 'echo began >&2; while ! test -e "$0"; do sleep 0.02; done; echo "{}"', {
  runtime: {
    args: [
      '-c',
      'cat >/dev/null; echo began >&2; while ! test -e "$0"; do sleep 0.02; done; echo "{}"',
      '{payload.file}',
    ],
  },
});

const invokePath = (node: TestNode, id: string): string => node.path(id, 'control/invoke.json');

t.test('the write that completes the object runs it and returns when it has finished [P]', async (t) => {
  const node = await TestNode.start(t, [CAT, FAIL]);
  await node.write(invokePath(node, 'cat'), '{"a":1}\n');
  t.same(await node.json(node.path('cat', 'result.json')), { a: 1 });
  t.match(await node.json(node.path('cat', 'status.json')), {
    state: 'ok',
    exit_code: 0,
    error: null,
    by: { role: 'admin' },
  });
  t.equal(await errnoOf(() => node.write(invokePath(node, 'fail'), '{}')), 'EIO');
  t.match(await node.json(node.path('fail', 'status.json')), { state: 'error', exit_code: 3 });
  t.match(await node.read(node.path('fail', 'last_error.txt')), /^EIO: /);
});

t.test('the object may arrive in any number of writes, and white space around it is ignored', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  const handle = await node.open(invokePath(node, 'cat'), WRITE);
  const bytes = Buffer.from(' \t {"text": "héllo 😀"} \n');
  for (let at = 0; at < bytes.length; at++) await handle.write(at, bytes.subarray(at, at + 1), node.op());
  await handle.flush?.(node.op());
  await handle.release();
  t.same(await node.json(node.path('cat', 'result.json')), { text: 'héllo 😀' });
  t.equal((await node.json<{ invokes_total: number }>(node.path('cat', 'metrics.json'))).invokes_total, 1);
});

t.test('where nothing was written, nothing runs', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  const handle = await node.open(invokePath(node, 'cat'), { ...WRITE, truncate: true });
  await handle.setattr({ size: 0 }, node.op());
  await handle.write(0, Buffer.from(' '), node.op());
  await handle.flush?.(node.op());
  await handle.release();
  t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 0, rejected_total: 0 });
});

t.test('an object followed by rubbish in the same write is refused and does not run', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  t.equal(await errnoOf(() => node.write(invokePath(node, 'cat'), '{"a":1} x')), 'EINVAL');
  t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 0, rejected_total: 1 });
  t.same(await node.json(node.path('cat', 'result.json')), { state: 'idle' }, 'result.json is left alone');
});

t.test('writes of one descriptor act one after the other, however many wait and come later', async (t) => {
  const log = join(temporaryDir(t), 'log');
  const node = await TestNode.start(t, [
    shellManifest('log', '', {
      runtime: {
        args: [
          '-c',
          `cat >/dev/null; echo "begin $0" >>${log}; sleep 0.05; echo "end $0" >>${log}`,
          '{payload.n}',
        ],
        max_concurrency: 8,
      },
    }),
  ]);
  const handle = await node.open(invokePath(node, 'log'), WRITE);
  let at = 0;
  const write = async (n: number): Promise<void> => {
    const bytes = Buffer.from(`{"n":"${n}"}`);
    const from = at;
    at += bytes.length;
    await handle.write(from, bytes, node.op(ADMIN));
  };
  const first = write(1);
  const others = [write(2), write(3)];
  await first;
  // Now the second is at work, the third waits for it, and this one comes last.
  await Promise.all([...others, write(4)]);
  await handle.release();
  t.same(
    readFileSync(log, 'utf8').trim().split('\n'),
    [1, 2, 3, 4].flatMap((n) => [`begin ${n}`, `end ${n}`]),
  );
});

t.test('once a driver has started, its failure is sticky on that descriptor [P]', async (t) => {
  const node = await TestNode.start(t, [FAIL]);
  const handle = await node.open(invokePath(node, 'fail'), WRITE);
  const write = (at: number, text: string): Promise<string | null> =>
    errnoOf(() => handle.write(at, Buffer.from(text), node.op()));
  t.equal(await write(0, '{"a":1}'), 'EIO');
  t.equal(await write(0, '{"a":1}'), 'EIO', 'the same bytes again');
  t.equal(await write(3, '":1}'), 'EIO', 'the remainder');
  t.equal(await write(0, '{"b":1}'), 'EIO', 'anything at all');
  await handle.release();
  t.match(await node.json(node.path('fail', 'metrics.json')), { invokes_total: 1, rejected_total: 0 });
});

t.test(
  'a rejected request can be corrected through the same descriptor, its remainder cannot run',
  async (t) => {
    const node = await TestNode.start(t, [CAT]);
    const handle = await node.open(invokePath(node, 'cat'), WRITE);
    const write = (at: number, text: string): Promise<string | null> =>
      errnoOf(() => handle.write(at, Buffer.from(text), node.op()));
    t.equal(await write(0, '{"a": oops,\n'), 'EINVAL');
    t.equal(await write(12, '{"b":1}'), 'EINVAL', 'what stood behind the fault');
    t.equal(await write(0, '{"a": oops,\n'), 'EINVAL', 'the same again');
    t.equal(await write(0, '{"a":1}'), null, 'a new attempt');
    await handle.release();
    t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 1, rejected_total: 1 });
  },
);

t.test('a close with an incomplete object says so to each who checks, and is one rejected job', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  const handle = await node.open(invokePath(node, 'cat'), WRITE);
  await handle.write(0, Buffer.from('{"a":'), node.op());
  t.equal(await errnoOf(() => handle.flush?.(node.op())), 'EINVAL');
  t.equal(await errnoOf(() => handle.flush?.(node.op())), 'EINVAL');
  t.match(await node.read(node.path('cat', 'last_error.txt')), /ends before the object is complete/);
  await handle.write(5, Buffer.from('1'), node.op());
  await handle.release();
  t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 0, rejected_total: 1 });
  t.match(
    await node.read(
      node
        .path('cat', 'jobs/latest/request.json')
        .replace('latest', (await node.names(node.path('cat', 'jobs')))[0]!),
    ),
    /^\{"a":1\n$/,
  );
});

t.test(
  'reads of a descriptor that wrote give its own reply, from the end of the request or after a rewind [P]',
  async (t) => {
    const node = await TestNode.start(t, [CAT, FAIL]);
    const handle = await node.open(invokePath(node, 'cat'), READ_WRITE);
    t.same(JSON.parse(await readAll(handle, node.op())), {}, 'the template before anything is written');
    const request = Buffer.from('{"a":1}\n');
    await handle.write(0, request, node.op());
    t.equal(
      await readAll(handle, node.op(), request.length),
      '{\n  "a": 1\n}\n',
      'from the end of the request on',
    );
    t.equal(await readAll(handle, node.op(), 0), '{\n  "a": 1\n}\n', 'after a rewind');
    await handle.write(8, Buffer.from('{"b":2}\n'), node.op());
    t.equal(await readAll(handle, node.op(), 16), '{\n  "b": 2\n}\n', 'the next request has its own');
    await handle.release();

    const failing = await node.open(invokePath(node, 'fail'), READ_WRITE);
    await errnoOf(() => failing.write(0, request, node.op()));
    t.match(JSON.parse(await readAll(failing, node.op())), { error: { errno: 'EIO' } });
    await failing.release();
  },
);

t.test('64 callers side by side each read their own reply', async (t) => {
  const node = await TestNode.start(t, [
    { ...CAT, runtime: { ...(CAT.runtime as JsonObject), max_concurrency: 16 } },
  ]);
  const call = async (n: number): Promise<void> => {
    const handle = await node.open(invokePath(node, 'cat'), READ_WRITE);
    await handle.write(0, Buffer.from(`{"n":${n}}`), node.op());
    t.same(JSON.parse(await readAll(handle, node.op())), { n });
    await handle.release();
  };
  await Promise.all(Array.from({ length: 64 }, (_, n) => call(n)));
});

t.test(
  'submit.json returns as soon as the request is accepted; the job shows what it prints as it comes',
  async (t) => {
    const node = await TestNode.start(t, [WAIT]);
    const file = `${node.dir}/go`;
    const handle = await node.open(node.path('wait', 'control/submit.json'), READ_WRITE);
    await handle.write(0, Buffer.from(JSON.stringify({ file })), node.op());
    const { invocation_id: id } = JSON.parse(await readAll(handle, node.op())) as { invocation_id: string };
    await handle.release();
    const stderr = await node.open(node.path('wait', `jobs/${id}/stderr`), READ);
    while ((await readAll(stderr, node.op())) !== 'began\n') await new Promise(setImmediate);
    t.match(await node.json(node.path('wait', `jobs/${id}/status.json`)), { state: 'running' });
    t.match(await node.json(node.path('wait', 'status.json')), { state: 'running', invocation_id: id });
    await node.write(node.path('wait', `jobs/${id}/cancel`), 'x');
    while ((await node.json(node.path('wait', `jobs/${id}/status.json`))).state === 'running')
      await new Promise(setImmediate);
    t.match(await node.json(node.path('wait', `jobs/${id}/status.json`)), {
      state: 'cancelled',
      errno: 'ECANCELED',
    });
  },
);

t.test('with a _key, the same request returns the stored outcome without running again', async (t) => {
  const node = await TestNode.start(t, [shellManifest('count', 'cat; echo ran >&2')]);
  const path = invokePath(node, 'count');
  await node.write(path, '{"_key":"k1","a":1}');
  await node.write(path, '{"a":1,"_key":"k1"}');
  t.match(await node.json(node.path('count', 'metrics.json')), { invokes_total: 1 });
  t.same(
    await node.json(node.path('count', 'result.json')),
    { a: 1 },
    'the key is taken out before validation',
  );
  t.equal(await errnoOf(() => node.write(path, '{"_key":"k1","a":2}')), 'EEXIST');
  t.equal(await errnoOf(() => node.write(path, '{"_key":"../x"}')), 'EINVAL');
  await node.write(path, '{"_key":"k1","a":2}', USER);
  t.match(
    await node.json(node.path('count', 'metrics.json')),
    { invokes_total: 2 },
    'keys are per principal',
  );
  await node.restart();
  await node.write(path, '{"_key":"k1","a":1}');
  t.match(await node.json(node.path('count', 'metrics.json')), { invokes_total: 2 }, 'and outlive a restart');
  t.same(await node.names(node.path('count', 'jobs/by-key')), ['k1']);
});

t.test("no user session reads another principal's request, result or error [P]", async (t) => {
  const node = await TestNode.start(t, [CAT, FAIL]);
  await node.write(invokePath(node, 'cat'), '{"secret":1}', USER);
  await errnoOf(() => node.write(invokePath(node, 'fail'), '{"secret":1}', USER));
  t.same(await node.json(node.path('cat', 'result.json'), USER), { secret: 1 });
  t.same(await node.json(node.path('cat', 'result.json'), OTHER_USER), { state: 'idle' });
  t.match(await node.json(node.path('cat', 'status.json'), OTHER_USER), {
    state: 'idle',
    invocation_id: null,
  });
  t.equal(await node.read(node.path('fail', 'last_error.txt'), OTHER_USER), '');
  t.same(await node.names(node.path('cat', 'jobs'), OTHER_USER), ['by-key']);
  const [id] = await node.names(node.path('cat', 'jobs'), USER);
  t.equal(await errnoOf(() => node.read(node.path('cat', `jobs/${id!}/request.json`), OTHER_USER)), 'ENOENT');
  t.match(
    await node.json(node.path('cat', `jobs/${id!}/request.json`), ADMIN),
    { secret: 1 },
    "an admin's jobs/ shows everyone's",
  );
});

t.test('a service that is disabled refuses with EPERM, and says offline', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  await node.write(node.path('cat', 'control/disable'), '1');
  t.equal(await errnoOf(() => node.write(invokePath(node, 'cat'), '{}')), 'EPERM');
  t.match(await node.json(node.path('cat', 'status.json')), { state: 'offline' });
  t.match(await node.json(node.path('cat', 'health.json')), { state: 'offline', enabled: false });
  await node.restart();
  t.equal(await errnoOf(() => node.write(invokePath(node, 'cat'), '{}')), 'EPERM', 'also after a restart');
  await node.write(node.path('cat', 'control/enable'), '1');
  await node.write(invokePath(node, 'cat'), '{}');
});

t.test('control is for admins: users see the file without its write bit and get EACCES [P]', async (t) => {
  const node = await TestNode.start(t, [
    CAT,
    shellManifest('closed', 'cat', { permissions: { allow_roles: ['admin'] } }),
  ]);
  t.equal(await errnoOf(() => node.write(node.path('cat', 'control/disable'), '1', USER)), 'EACCES');
  t.equal(await errnoOf(() => node.read(node.path('cat', 'config.json'), USER)), 'EACCES');
  t.notOk((await node.names('/nodes/n1/services', USER)).includes('closed'), 'denial looks like absence');
  t.equal(await errnoOf(() => node.read(node.path('closed', 'README.md'), USER)), 'ENOENT');
  t.notOk((await node.read('/nodes/n1/services/SERVICES.json', USER)).includes('closed'));
});

t.test('a full queue answers EBUSY at once and says when to retry', async (t) => {
  const node = await TestNode.start(t, [
    { ...WAIT, runtime: { ...(WAIT.runtime as JsonObject), max_concurrency: 1, max_queue: 1 } },
  ]);
  const submit = node.path('wait', 'control/submit.json');
  const request = JSON.stringify({ file: `${node.dir}/go` });
  await node.write(submit, request);
  await node.write(submit, request);
  t.equal(await errnoOf(() => node.write(submit, request)), 'EBUSY');
  t.match(await node.read(node.path('wait', 'last_error.txt')), /EBUSY/);
  t.match(await node.json(node.path('wait', 'metrics.json')), { running: 1, queued: 1, rejected_total: 1 });
  await node.write(node.path('wait', 'control/cancel'), 'all');
  while ((await node.json(node.path('wait', 'metrics.json'))).running !== 0) await new Promise(setImmediate);
});

t.test('a request larger than max_payload_bytes is EFBIG', async (t) => {
  const node = await TestNode.start(t, [
    { ...CAT, runtime: { ...(CAT.runtime as JsonObject), max_payload_bytes: 100 } },
  ]);
  t.equal(
    await errnoOf(() => node.write(invokePath(node, 'cat'), JSON.stringify({ a: 'x'.repeat(92) }))),
    null,
    'up to the limit',
  );
  t.equal(
    await errnoOf(() => node.write(invokePath(node, 'cat'), JSON.stringify({ a: 'x'.repeat(93) }))),
    'EFBIG',
  );
  t.equal(
    await errnoOf(() => node.write(invokePath(node, 'cat'), `{"a":"${'x'.repeat(1000)}`)),
    'EFBIG',
    'before it is complete',
  );
});

t.test(
  'a request that fails the schema is EINVAL with its JSON Pointer, what was expected and what was got',
  async (t) => {
    const node = await TestNode.start(t, [
      {
        ...CAT,
        schema: { input: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } },
      },
    ]);
    t.equal(await errnoOf(() => node.write(invokePath(node, 'cat'), '{"n":"x"}')), 'EINVAL');
    const text = await node.read(node.path('cat', 'last_error.txt'));
    t.match(text, /"\/n"/);
    t.match(text, /integer/);
  },
);

t.test('config.json is replaced as a whole, and a bad one changes nothing', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest('config', 'cat >/dev/null; cat "$ACHERON_CALL_CONFIG_FILE"'),
  ]);
  await node.write(node.path('config', 'config.json'), '{"level":1}');
  t.equal(await errnoOf(() => node.write(node.path('config', 'config.json'), '[1]')), 'EINVAL');
  await node.write(invokePath(node, 'config'), '{}');
  t.same(await node.json(node.path('config', 'result.json')), { level: 1 });
  await node.restart();
  t.same(await node.json(node.path('config', 'config.json')), { level: 1 });
});

t.test('the driver gets the exact bytes of the request', async (t) => {
  const node = await TestNode.start(t, [
    shellManifest('size', 'printf \'{"sum":"%s"}\' "$(cksum)"'),
    shellManifest('exact', 'cat'),
  ]);
  const text = '{"big":123456789012345678901234567890,"u":"\\ud800","e":1e400}';
  await node.write(invokePath(node, 'exact'), text);
  t.equal((await node.read(node.path('exact', 'result.json'))).replace(/\s/g, ''), text);
});

t.test('rm -r of a finished job forgets it, of a running one cancels it', async (t) => {
  const node = await TestNode.start(t, [CAT, WAIT]);
  const remove = async (service: string): Promise<string> => {
    const [id] = await node.names(node.path(service, 'jobs'));
    const { walk } = await import('../../lib/vfs/index.js');
    const jobs = await walk(node.world.root, node.path(service, 'jobs'), node.op());
    const job = await walk(node.world.root, node.path(service, `jobs/${id!}`), node.op());
    if (jobs.kind !== 'dir' || job.kind !== 'dir') throw new TypeError('no directories');
    t.equal(await errnoOf(() => jobs.rmdir(id!, node.op())), 'ENOTEMPTY');
    for (const { name } of await job.list(node.op())) await job.unlink(name, node.op());
    await jobs.rmdir(id!, node.op());
    return id!;
  };
  await node.write(invokePath(node, 'cat'), '{"a":1}');
  await remove('cat');
  t.same(await node.names(node.path('cat', 'jobs')), ['by-key']);
  t.same(await node.json(node.path('cat', 'result.json')), { a: 1 }, 'the last result stays');
  await node.restart();
  t.same(await node.names(node.path('cat', 'jobs')), ['by-key'], 'also after a restart');
  t.same(await node.json(node.path('cat', 'result.json')), { a: 1 });

  await node.write(node.path('wait', 'control/submit.json'), JSON.stringify({ file: `${node.dir}/go` }));
  await remove('wait');
  t.same(await node.names(node.path('wait', 'jobs')), ['by-key']);
  while ((await node.json(node.path('wait', 'metrics.json'))).cancelled_total !== 1)
    await new Promise(setImmediate);
});

t.test('reset sets the outcome back to idle and keeps the metrics', async (t) => {
  const node = await TestNode.start(t, [CAT]);
  await node.write(invokePath(node, 'cat'), '{"a":1}', USER);
  await node.write(invokePath(node, 'cat'), '{"b":1}');
  await node.write(node.path('cat', 'control/reset'), '1', USER);
  t.same(await node.json(node.path('cat', 'result.json'), USER), { state: 'idle' });
  t.same(await node.json(node.path('cat', 'result.json')), { b: 1 }, "a user's reset touches its own alone");
  await node.write(node.path('cat', 'control/reset'), '1');
  await node.restart();
  t.same(await node.json(node.path('cat', 'result.json')), { state: 'idle' });
  t.match(await node.json(node.path('cat', 'metrics.json')), { invokes_total: 2 });
});

const skip = process.getuid?.() === 0 ? false : 'only root can mount a small file system';

t.test(
  'a full disk fails the call, keeps the node alive, and is over when there is space again',
  { skip },
  async (t) => {
    const dir = temporaryDir(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'none', dir]);
    t.teardown(() => execFileSync('umount', ['-l', dir]));
    const node = await TestNode.start(t, [CAT], { stateFile: `${dir}/state/node.json` });
    writeFileSync(`${dir}/ballast`, Buffer.alloc(64 * 1024));
    const call = (): Promise<string | null> =>
      errnoOf(() => node.write(invokePath(node, 'cat'), JSON.stringify({ text: 'x'.repeat(8000) })));
    let outcome: string | null = null;
    for (let n = 0; n < 100 && outcome === null; n++) outcome = await call();
    t.ok(['ENOSPC', 'EIO'].includes(outcome ?? ''), `it ends with ${String(outcome)}`);
    for (let n = 0; n < 3; n++) {
      const errno = (await call())!;
      const said = await node.read(node.path('cat', 'last_error.txt'));
      t.match(said, new RegExp(`^${errno}: `), 'last_error.txt says so');
      t.ok(said.includes(`${dir}/state/`), `and names the file: ${said}`);
      t.match(await node.json(node.path('cat', 'status.json')), { state: 'error', errno });
    }
    t.equal((await node.json<{ running: number }>(node.path('cat', 'metrics.json'))).running, 0);
    rmSync(`${dir}/ballast`);
    t.equal(await call(), null);
  },
);
