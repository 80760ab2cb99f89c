import t from 'tap';
import { FairTurns } from '../../lib/transport/index.js';

/** Keeps the processor busy for `ms`. */
function work(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const loop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('however many have work, the event loop is seen between turns of a bounded time', async (t) => {
  const turns = new FairTurns();
  const done: number[] = [];
  for (let n = 0; n < 100; n++)
    turns.take(`party ${n}`, () => {
      work(1);
      done.push(n);
    });
  t.ok(done.length >= 1 && done.length <= 11, `${done.length} ran at once`);
  let rounds = 0;
  for (; done.length < 100; rounds++) await loop();
  t.ok(rounds >= 8, `${rounds} rounds of the event loop`);
  t.same(
    done,
    Array.from({ length: 100 }, (_, n) => n),
    'each once, in the order in which they came',
  );
});

t.test(
  'while connections come, those who are in have half of the time, and those who greet do not wait',
  async (t) => {
    const turns = new FairTurns();
    let served = 0;
    const serve = (): void => {
      work(1);
      served++;
    };
    turns.arrived();
    for (let n = 0; n < 200; n++) turns.take('node', serve);
    let greeted = false;
    turns.take('stranger', () => (greeted = true), true);
    t.equal(served, 0, 'a connection came: what waits lets others in first');
    t.ok(greeted);
    let arrivals = 0;
    const startMs = performance.now();
    for (; served <= 5 && performance.now() - startMs < 30_000; arrivals++) {
      turns.arrived();
      await loop();
    }
    t.ok(served > 5, `${served} served all the same`);
    t.ok(arrivals > 2 * served, `${arrivals} arrivals meanwhile`);
    while (served < 200) await loop();
  },
);
