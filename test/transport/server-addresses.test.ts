import t from 'tap';
import { FsError } from '../../lib/core/index.js';
import { memoryPair, Reconnector, ServerAddresses, type Transport } from '../../lib/transport/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { Random } from '../support/random.js';

const URLS = ['ws://a:1', 'ws://b:1', 'ws://c:1'];

/** 0 to 1, the same for each seed. */
const randomBy = (seed: number): (() => number) => {
  const random = new Random(seed);
  return () => random.below(2 ** 30) / 2 ** 30;
};

const down = (): Promise<never> => Promise.reject(new FsError('EHOSTDOWN', 'Nobody is there.'));
const never = (): Promise<never> => new Promise<never>(() => undefined);

/** What a server at each address does with a client that comes. */
function dialler(answers: Record<string, () => Promise<string>>): {
  dial: (url: string, signal: AbortSignal) => Promise<string>;
  tried: string[];
  ended: string[];
} {
  const tried: string[] = [];
  const ended: string[] = [];
  return {
    tried,
    ended,
    dial: (url, signal) => {
      tried.push(url);
      signal.addEventListener('abort', () => ended.push(url));
      return answers[url]!();
    },
  };
}

const connect = (
  addresses: ServerAddresses,
  dial: (url: string, signal: AbortSignal) => Promise<string>,
  discarded: string[] = [],
): Promise<string> =>
  addresses.connect(dial, {
    signal: new AbortController().signal,
    discard: (late) => discarded.push(late),
  });

/** Lets promises that are settled go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test('many clients begin at all addresses evenly, each in an order of its own', async (t) => {
  const random = randomBy(7);
  const first = new Map<string, number>();
  const orders = new Set<string>();
  for (let i = 0; i < 3_000; i++) {
    const order = new ServerAddresses(URLS, { random }).views.map(({ url }) => url);
    orders.add(order.join());
    first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1);
  }
  t.equal(orders.size, 6, 'all orders occur');
  for (const url of URLS) t.ok(Math.abs(first.get(url)! - 1_000) < 100, `${url}: ${first.get(url)}`);
});

t.test('an address that refuses is passed over at once, and comes last for a while', async (t) => {
  const clock = new FakeClock();
  const addresses = new ServerAddresses(URLS, { clock, random: () => 0 });
  const { dial, tried } = dialler({ 'ws://a:1': down, 'ws://b:1': async () => 'b', 'ws://c:1': down });
  t.equal(await connect(addresses, dial), 'b', 'no time has passed');
  t.same(tried, ['ws://a:1', 'ws://b:1']);
  t.equal(addresses.current, 'ws://b:1');
  t.match(addresses.views, [
    { url: 'ws://a:1', state: 'down', error: 'Nobody is there.' },
    { url: 'ws://b:1', state: 'in use' },
    { url: 'ws://c:1', state: 'untried' },
  ]);
  addresses.failed('ws://b:1', 'It was lost.');
  tried.length = 0;
  await t.rejects(
    connect(addresses, () => (tried.push(''), down())),
    { code: 'EHOSTDOWN' },
  );
  t.equal(tried.length, 3, 'all of them are tried before it fails');
  clock.advance(6_000);
  const back = dialler({ 'ws://a:1': async () => 'a', 'ws://b:1': never, 'ws://c:1': never });
  t.equal(await connect(addresses, back.dial), 'a', 'after a while it is as good as the others');
});

t.test(
  'a silent address is raced by the next; the first to be ready wins, the late one is closed',
  async (t) => {
    const clock = new FakeClock();
    const addresses = new ServerAddresses(URLS, { clock, random: () => 0 });
    let answerLate!: (made: string) => void;
    const { dial, tried, ended } = dialler({
      'ws://a:1': () => new Promise((resolve) => (answerLate = resolve)),
      'ws://b:1': async () => 'b',
      'ws://c:1': down,
    });
    const discarded: string[] = [];
    const made = connect(addresses, dial, discarded);
    clock.advance(499);
    t.same(tried, ['ws://a:1']);
    clock.advance(1);
    t.equal(await made, 'b');
    t.same(ended, ['ws://a:1'], 'the loser is told to give up');
    answerLate('a');
    await settled();
    t.same(discarded, ['a'], 'what it made all the same is given back');
  },
);

t.test('a refusal that every address would give is told at once', async (t) => {
  const addresses = new ServerAddresses(URLS, { random: () => 0 });
  const tried: string[] = [];
  const dial = (url: string): Promise<string> => {
    tried.push(url);
    return Promise.reject(new FsError('EACCES', 'The token is not good.'));
  };
  await t.rejects(connect(addresses, dial), { code: 'EACCES' });
  t.equal(tried.length, 1);
});

t.test(
  'an address whose server goes away comes last, also when its connection is lost after that',
  async (t) => {
    const clock = new FakeClock();
    const addresses = new ServerAddresses(URLS, { clock, random: () => 0 });
    addresses.leaving('ws://a:1');
    addresses.failed('ws://a:1', 'The connection was lost.');
    clock.advance(10_000);
    const { dial, tried } = dialler({ 'ws://a:1': down, 'ws://b:1': down, 'ws://c:1': down });
    await t.rejects(connect(addresses, dial));
    t.same(tried, ['ws://b:1', 'ws://c:1', 'ws://a:1']);
  },
);

t.test(
  'two hundred clients that lose their server at once do not come to the next one at once',
  async (t) => {
    const clock = new FakeClock();
    const random = randomBy(11);
    const cameMs: number[] = [];
    const servers: Transport[] = [];
    const clients = Array.from({ length: 200 }, () => {
      const reconnector = new Reconnector({
        clock,
        random,
        hasOthers: true,
        connect: async () => {
          cameMs.push(clock.now());
          const [client, server] = memoryPair();
          servers.push(server);
          return client;
        },
      });
      reconnector.start();
      return reconnector;
    });
    await settled();
    clock.advance(60_000);
    cameMs.length = 0;
    const lostMs = clock.now();
    for (const server of servers.splice(0)) server.destroy();
    await settled();
    await settled();
    for (let i = 0; i < 40; i++) {
      clock.advance(10);
      await settled();
    }
    t.equal(cameMs.length, 200, 'all are back');
    const waits = cameMs.map((at) => at - lostMs);
    t.ok(Math.max(...waits) <= 310, 'within a third of a second');
    const perTenth = new Map<number, number>();
    for (const wait of waits)
      perTenth.set(Math.floor(wait / 30), (perTenth.get(Math.floor(wait / 30)) ?? 0) + 1);
    t.ok(Math.max(...perTenth.values()) < 40, `of 200, at most ${Math.max(...perTenth.values())} in 30 ms`);
    for (const client of clients) client.close();
  },
);

t.test('another connection takes the place of one that serves on until then', async (t) => {
  const made: Transport[] = [];
  const left: Transport[] = [];
  let connecting: ((transport: Transport) => void) | undefined;
  const reconnector = new Reconnector({
    connect: () =>
      new Promise((resolve) => {
        connecting = (transport) => {
          made.push(transport);
          resolve(transport);
        };
      }),
    leave: (before) => left.push(before),
  });
  t.teardown(() => reconnector.close());
  reconnector.start();
  connecting!(memoryPair()[0]);
  await settled();
  t.equal(reconnector.state.state, 'open');
  connecting = undefined;
  reconnector.move();
  reconnector.move();
  await new Promise((resolve) => setTimeout(resolve, 5));
  t.match(reconnector.state, { state: 'open', transport: made[0] }, 'the first one serves on');
  connecting!(memoryPair()[0]);
  await settled();
  t.match(reconnector.state, { state: 'open', transport: made[1] });
  t.same(left, [made[0]]);
  made[0]!.destroy();
  await settled();
  t.equal(reconnector.state.state, 'open', 'its end is of no concern then');
});

t.test('where the present connection is lost during a move, what is under way takes over', async (t) => {
  let connecting!: (transport: Transport) => void;
  const reconnector = new Reconnector({
    connect: () => new Promise((resolve) => (connecting = resolve)),
  });
  t.teardown(() => reconnector.close());
  reconnector.start();
  const [first] = memoryPair();
  connecting(first);
  await settled();
  reconnector.move();
  await new Promise((resolve) => setTimeout(resolve, 5));
  first.destroy();
  await settled();
  t.equal(reconnector.state.state, 'connecting');
  const [second] = memoryPair();
  connecting(second);
  await settled();
  t.match(reconnector.state, { state: 'open', transport: second });
});
