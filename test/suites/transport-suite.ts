import type { Test } from 'tap';
import {
  LOW_WATER_BYTES,
  type CloseReason,
  type Message,
  type Transport,
} from '../../lib/transport/index.js';
import type { Pair } from '../support/ws-pair.js';

const ended = (transport: Transport): Promise<CloseReason> =>
  new Promise((resolve) => transport.onClose(resolve));

const take = (transport: Transport, count: number): Promise<Message[]> =>
  new Promise((resolve) => {
    const got: Message[] = [];
    transport.receive((message) => {
      got.push(message);
      if (got.length === count) resolve(got);
    });
  });

/** What every `Transport` promises; `makePair` connects two of them afresh. */
export function transportSuite(t: Test, makePair: () => Promise<Pair>): void {
  const withPair = (title: string, body: (t: Test, pair: Pair) => Promise<void>): void => {
    void t.test(title, async (t) => {
      const pair = await makePair();
      t.teardown(() => pair.close());
      await body(t, pair);
    });
  };

  withPair('messages arrive in order, text as text and bytes as bytes', async (t, { client, server }) => {
    const sent: Message[] = [];
    for (let i = 0; i < 200; i++) sent.push(i % 3 === 0 ? Buffer.alloc(i, i) : `text ${i} é`);
    for (const direction of [
      [client, server],
      [server, client],
    ] as const) {
      const got = take(direction[1], sent.length);
      for (const message of sent) direction[0].send(message);
      t.strictSame(
        (await got).map((message) => (typeof message === 'string' ? message : [...message])),
        sent.map((message) => (typeof message === 'string' ? message : [...message])),
      );
    }
  });

  withPair('a message that comes before there is a receiver waits for it', async (t, { client, server }) => {
    client.send('one');
    client.send('two');
    const echoed = take(client, 1);
    server.send('ready');
    await echoed;
    t.strictSame(await take(server, 2), ['one', 'two']);
  });

  withPair('close delivers what was sent before, then both ends learn why', async (t, { client, server }) => {
    const got = take(server, 2);
    const ends = [ended(client), ended(server)];
    client.send('a');
    client.send('b');
    client.close(1000, 'done');
    t.notOk(client.open);
    client.close();
    client.send('never');
    t.strictSame(await got, ['a', 'b']);
    const [mine, theirs] = await Promise.all(ends);
    t.match(theirs, { code: 1000, reason: 'done' });
    t.equal(mine?.code, 1000);
    t.notOk(server.open);
    t.equal((await ended(server)).code, 1000, 'a late listener gets it too');
  });

  withPair('destroy ends both ends, and nobody waits for room any longer', async (t, { client, server }) => {
    server.pause();
    const ends = [ended(client), ended(server)];
    for (let i = 0; i < 64; i++) client.send(Buffer.alloc(1024 * 1024));
    const waiting = client.drained();
    client.destroy();
    server.resume();
    await waiting;
    await Promise.all(ends);
    t.notOk(client.open || server.open);
    await client.drained();
  });

  withPair('a paused peer makes bytes pile up, and resuming drains them', async (t, { client, server }) => {
    let arrived = 0;
    const total = 48;
    const all = new Promise<void>((resolve) => {
      server.receive(() => {
        if (++arrived === total) resolve();
      });
    });
    server.pause();
    for (let i = 0; i < total; i++) client.send(Buffer.alloc(1024 * 1024));
    t.ok(client.bufferedBytes > LOW_WATER_BYTES);
    const drained = client.drained();
    server.resume();
    await drained;
    t.ok(client.bufferedBytes <= LOW_WATER_BYTES);
    await all;
    t.equal(arrived, total);
  });
}
