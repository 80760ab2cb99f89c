import type { Test } from 'tap';
import { type Client, type JobEvent, type TreeEvent } from '../../lib/index.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';

/** The services that the suite calls. */
export const CLIENT_MANIFESTS = [
  shellManifest('echo', 'cat', {
    summary: 'Says what it hears.',
    help_md: '# echo\n\nSays what it hears.',
    schema: {
      input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
      output: { type: 'object', properties: { text: { type: 'string' } } },
    },
  }),
  shellManifest('count', 'echo x >> ran; cat'),
  shellManifest('fail', 'cat > /dev/null; echo broken >&2; exit 3'),
  shellManifest(
    'talk',
    `cat > /dev/null; echo first >&2; echo '::progress {"done": 1, "total": 2, "message": "half"}' >&2
     until [ -e go-on ]; do sleep 0.02; done; echo last >&2; echo '{"done": true}'`,
    { runtime: { timeout_ms: 60_000 } },
  ),
  shellManifest('hang', 'cat > /dev/null; echo going >&2; touch started; exec sleep 600', {
    runtime: { timeout_ms: 600_000 },
  }),
];

export interface ClientUnderTest {
  readonly client: Client;
  /** Lets `talk` go on. */
  readonly goOn: () => void;
  /** Whether `hang` has started since it was asked last. */
  readonly hasStarted: () => boolean;
  /** An export that can be written. */
  readonly exportDir: string | null;
}

/** What every client does, whichever way it came to its tree. */
export function clientSuite(t: Test, open: () => Promise<ClientUnderTest>): void {
  t.test('lists services and files, and describes a service', async (t) => {
    const { client } = await open();
    const services = await client.services();
    t.match(
      services.find(({ service_id }) => service_id === 'echo'),
      { has_invoke: true, node_id: 'local' },
    );
    t.ok((await client.list('/nodes/local/services')).includes('echo'));
    t.match(await client.describe('echo'), {
      serviceId: 'echo',
      nodeId: 'local',
      path: '/nodes/local/services/echo',
      hasInvoke: true,
      input: { required: ['text'] },
      output: { type: 'object' },
      template: { text: String },
      readme: /Says what it hears/,
    });
    t.match(await client.stat('/nodes/local/services/echo/README.md'), { kind: 'file', mode: 0o444 });
    t.match(await client.stat('/nodes'), { kind: 'dir' });
    t.match(JSON.parse(await client.read('/session.json')), { role: 'admin' });
    await t.rejects(client.describe('absent'), { name: 'FsError', code: 'ENOENT', hint: String });
    await t.rejects(client.list('/nope'), { name: 'FsError', code: 'ENOENT' });
    await t.rejects(client.list('/README.md'), { code: 'ENOTDIR' });
    await t.rejects(client.read('/nodes'), { code: 'EISDIR' });
  });

  t.test('invokes, also many at once, and twice with one key once', async (t) => {
    const { client } = await open();
    t.same(await client.invoke('echo', { text: 'hi' }), { text: 'hi' });
    t.same(await client.invoke('local/echo', { text: 'ho' }), { text: 'ho' });
    const many = Array.from({ length: 12 }, (_, n) => client.invoke('echo', { text: String(n) }));
    t.same(
      await Promise.all(many),
      Array.from({ length: 12 }, (_, n) => ({ text: String(n) })),
    );
    const once = { key: `once-${process.pid}-${Date.now()}` };
    t.same(await client.invoke('count', { n: 1 }, once), { n: 1 });
    t.same(await client.invoke('count', { n: 1 }, once), { n: 1 });
    await t.rejects(client.invoke('count', { n: 2 }, once), { code: 'EEXIST' });
    const large = { text: 'x'.repeat(300_000) };
    t.same(await client.invoke('echo', large), large);
  });

  t.test('a failure is an FsError with what happened', async (t) => {
    const { client } = await open();
    await t.rejects(client.invoke('fail', {}), { name: 'FsError', code: 'EIO', message: /status 3/ });
    await t.rejects(client.invoke('echo', { text: 1 }), { name: 'FsError', code: 'EINVAL', message: /text/ });
    await t.rejects(client.submit('echo', {}), { name: 'FsError', code: 'EINVAL', message: /text/ });
    const failed = await client.submit('fail', {});
    await t.rejects(failed.result(), { code: 'EIO', message: /status 3/ });
    t.match(await failed.status(), { state: 'error', errno: 'EIO', exit_code: 3 });
  });

  t.test('submits, follows what a job says, and has its result', async (t) => {
    const { client, goOn } = await open();
    const job = await client.submit('talk', {});
    t.match(await job.status(), { state: 'running', invocation_id: job.id });
    const events: JobEvent[] = [];
    for await (const event of client.follow(job.id)) {
      events.push(event);
      if (event.type === 'progress' && event.progress.message === 'half') goOn();
    }
    const said = events.flatMap((event) => (event.type === 'stderr' ? event.text : [])).join('');
    t.equal(said, 'first\nlast\n');
    t.match(events.at(-1), { type: 'end', status: { state: 'ok' } });
    t.same(await job.result(), { done: true });
    const again = await client.job(job.id);
    t.match(await again.wait({ timeoutMs: 0 }), { state: 'ok' });
    await t.rejects(client.job('nothing-like-it'), { code: 'ENOENT' });
  });

  t.test('waits no longer than it may, and cancels', async (t) => {
    const { client, hasStarted } = await open();
    const job = await client.submit('hang', {});
    await t.rejects(job.wait({ timeoutMs: 10 }), { code: 'ETIMEDOUT' });
    const enough = new AbortController();
    const waited = job.wait({ signal: enough.signal });
    enough.abort();
    await t.rejects(waited, { name: 'FsError', code: 'ECANCELED' });
    for await (const event of job.follow()) {
      t.not(event.type, 'end');
      break;
    }
    await until(hasStarted, 'the driver');
    await job.cancel();
    t.match(await job.wait(), { state: 'cancelled', errno: 'ECANCELED' });
    await t.rejects(job.cancel(), { code: 'ESRCH' });
    t.match((await all(job.follow())).at(-1), { type: 'end', status: { state: 'cancelled' } });
  });

  t.test('a signal that aborts ends a call and its driver', async (t) => {
    const { client, hasStarted } = await open();
    const controller = new AbortController();
    const call = client.invoke('hang', {}, { signal: controller.signal });
    await until(hasStarted, 'the driver');
    controller.abort();
    await t.rejects(call, { name: 'FsError', code: 'ECANCELED' });
    const latest = await client.read('/nodes/local/services/hang/status.json');
    t.match(JSON.parse(latest), { state: 'cancelled' });
    await t.rejects(client.invoke('echo', { text: 'no' }, { signal: controller.signal }), {
      name: 'FsError',
      code: 'ECANCELED',
    });
    await t.rejects(client.list('/', { signal: controller.signal }), { code: 'ECANCELED' });
  });

  t.test('hears of what happens, from now on or from what is kept', async (t) => {
    const { client } = await open();
    const controller = new AbortController();
    const heard: TreeEvent[] = [];
    const listening = (async () => {
      for await (const event of client.events({ signal: controller.signal }))
        if (event.type === 'invocation_finished') heard.push(event);
    })();
    // What is before the loop has begun is not heard, so it is called until something is.
    const ids = new Set<string>();
    await until(async () => {
      const job = await client.submit('echo', { text: 'ring' });
      await job.wait();
      ids.add(job.id);
      return heard.length > 0;
    }, 'an event');
    controller.abort();
    await t.rejects(listening, { name: 'FsError', code: 'ECANCELED' });
    t.ok(heard.every(({ invocation_id }) => ids.has(invocation_id as string)));
    t.equal(new Set(heard.map(({ invocation_id }) => invocation_id)).size, heard.length, 'each once');
    for await (const event of client.events({ since: 'kept' }))
      if (event.type === 'invocation_finished' && ids.has(event['invocation_id'] as string)) break;
  });

  t.test('writes to what is there, and makes and removes files where that can be', async (t) => {
    const { client, exportDir } = await open();
    await client.write('/nodes/local/services/echo/control/reset', '1');
    t.match(JSON.parse(await client.read('/nodes/local/services/echo/status.json')), { state: 'idle' });
    await t.rejects(client.write('/nodes/local/services/echo/nothing', 'x'), { code: 'ENOENT' });
    await t.rejects(client.remove('/nodes/local/services/echo/README.md'), { code: 'EPERM' });
    const note = `${exportDir!}/note.txt`;
    await client.write(note, 'one, longer\n', { create: true });
    await client.write(note, 'two\n', { create: true });
    t.equal(await client.read(note), 'two\n');
    const bytes = Buffer.from([0, 255, 128]);
    await client.write(note, bytes, { create: true });
    t.same(await client.readBytes(note), bytes);
    await client.remove(note);
    await t.rejects(client.stat(note), { code: 'ENOENT' });
  });
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}
