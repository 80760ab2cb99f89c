import t from 'tap';
import { FsError, type Clock } from '../../lib/core/index.js';
import { memoryPair, Reconnector, type ConnectionState, type Transport } from '../../lib/transport/index.js';

class HeldClock implements Clock {
  time = 0;
  readonly waits: { at: number; callback: () => void }[] = [];
  now(): number {
    return this.time;
  }
  after(delayMs: number, callback: () => void): () => void {
    const wait = { at: this.time + delayMs, callback };
    this.waits.push(wait);
    return () => this.waits.splice(this.waits.indexOf(wait), 1);
  }
  next(): void {
    const wait = this.waits.shift();
    if (wait === undefined) throw new Error('Nothing waits.');
    this.time = wait.at;
    wait.callback();
  }
}

const until = (reconnector: Reconnector, state: ConnectionState['state']): Promise<ConnectionState> =>
  new Promise((resolve) => {
    if (reconnector.state.state === state) {
      resolve(reconnector.state);
      return;
    }
    const stop = reconnector.states.on((now) => {
      if (now.state !== state) return;
      stop();
      resolve(now);
    });
  });

t.test(
  'it connects, and after a loss connects again: often for some seconds, then forever and ever more slowly',
  async (t) => {
    const clock = new HeldClock();
    let reachable = true;
    let peer: Transport | undefined;
    const reconnector = new Reconnector({
      clock,
      random: () => 1,
      minDelayMs: 100,
      maxDelayMs: 1000,
      connect: async () => {
        if (!reachable) throw new FsError('EHOSTDOWN', 'Nobody there.');
        const [client, server] = memoryPair();
        peer = server;
        return client;
      },
    });
    reconnector.start();
    reconnector.start();
    await until(reconnector, 'open');
    clock.time = 5000;
    reachable = false;
    peer?.destroy();
    const waits: { awayMs: number; delayMs: number }[] = [];
    while (clock.time < 10_000) {
      const state = await until(reconnector, 'backing-off');
      if (state.state === 'backing-off') waits.push({ awayMs: clock.time - 5000, delayMs: state.delayMs });
      clock.next();
    }
    const soon = waits.filter(({ awayMs }) => awayMs < 3000);
    for (const { awayMs, delayMs } of soon)
      t.equal(delayMs, Math.min(200, Math.max(50, awayMs / 8)), `${awayMs} ms after the loss`);
    t.ok(soon.length < 40, `${soon.length} attempts`);
    t.strictSame(
      waits.slice(soon.length).map(({ delayMs }) => delayMs),
      [400, 800, 1000],
    );
    reachable = true;
    await until(reconnector, 'backing-off');
    reconnector.retryNow();
    await until(reconnector, 'open');
    reconnector.close();
    t.match(reconnector.state, { state: 'closed', error: null });
    t.equal(clock.waits.length, 0);
  },
);

t.test('two clients do not wait in step', async (t) => {
  const delays = new Set<number>();
  for (let i = 0; i < 20; i++) {
    const clock = new HeldClock();
    const reconnector = new Reconnector({ clock, connect: async () => Promise.reject(new Error('no')) });
    reconnector.start();
    const state = await until(reconnector, 'backing-off');
    if (state.state === 'backing-off') {
      delays.add(state.delayMs);
      t.ok(state.delayMs >= 50 && state.delayMs <= 100);
    }
    reconnector.close();
  }
  t.ok(delays.size > 10);
});

t.test('a final failure ends it, and a late success after close is thrown away', async (t) => {
  const final = new Reconnector({
    connect: async () => Promise.reject(new FsError('EACCES', 'Never again.')),
    isFinal: (error) => error.code === 'EACCES',
  });
  final.start();
  t.match(await until(final, 'closed'), { error: { code: 'EACCES' } });

  let open: (transport: Transport) => void = () => undefined;
  const late = new Reconnector({ connect: () => new Promise((resolve) => (open = resolve)) });
  late.start();
  late.close();
  const [client] = memoryPair();
  open(client);
  await new Promise(setImmediate);
  t.notOk(client.open);
  t.equal(late.state.state, 'closed');
});
