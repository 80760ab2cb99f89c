import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { AdmissionQueue, type Release } from '../../lib/drivers/index.js';

const never = (): AbortSignal => new AbortController().signal;

t.test('a free place is given at once, the next in the order of coming', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 2, maxQueue: 3 });
  const first = queue.enter(never()) as Release;
  const second = queue.enter(never()) as Release;
  t.equal(typeof first, 'function');
  const order: number[] = [];
  const waiting = [1, 2, 3].map((n) =>
    (queue.enter(never()) as Promise<Release>).then((release) => {
      order.push(n);
      release();
    }),
  );
  t.same([queue.running, queue.queued], [2, 3]);
  first();
  first();
  await Promise.all(waiting);
  t.same(order, [1, 2, 3]);
  second();
  t.same([queue.running, queue.queued], [0, 0]);
});

t.test('beyond the queue a call is EBUSY, with the time when to come again', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 1, maxQueue: 1 });
  queue.enter(never());
  void queue.enter(never());
  const refusal = { code: 'EBUSY', message: '1 calls are running and 1 are waiting.', hint: /^Try again / };
  t.throws(() => queue.enter(never()), refusal);
});

t.test('who stops waiting leaves the queue', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 1, maxQueue: 2 });
  const release = queue.enter(never()) as Release;
  const impatient = new AbortController();
  const left = queue.enter(impatient.signal) as Promise<Release>;
  const stays = queue.enter(never()) as Promise<Release>;
  impatient.abort();
  await t.rejects(left, { code: 'ECANCELED' });
  t.equal(queue.queued, 1);
  release();
  (await stays)();
  t.equal(queue.running, 0);
  impatient.abort();
  t.throws(() => queue.enter(impatient.signal), { code: 'ECANCELED' });
});

t.test('with no queue at all, only a free place will do', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 1, maxQueue: 0 });
  const release = queue.enter(never()) as Release;
  t.throws(() => queue.enter(never()), { code: 'EBUSY' });
  release();
  t.equal(typeof queue.enter(never()), 'function');
});

t.test('wider limits admit who waits', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 1, maxQueue: 9 });
  queue.enter(never());
  const waiting = queue.enter(never()) as Promise<Release>;
  queue.setLimits({ maxConcurrency: 2, maxQueue: 9 });
  t.equal(typeof (await waiting), 'function');
});

t.test('closing refuses all that wait and all that come', async (t) => {
  const queue = new AdmissionQueue({ maxConcurrency: 1, maxQueue: 9 });
  queue.enter(never());
  const waiting = queue.enter(never()) as Promise<Release>;
  queue.close(new FsError('EPERM', 'disabled'));
  await t.rejects(waiting, { code: 'EPERM' });
  t.throws(() => queue.enter(never()), { code: 'EPERM' });
});
