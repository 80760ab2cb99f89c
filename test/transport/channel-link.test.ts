import t from 'tap';
import { ChannelLink, memoryPair, type Message, type Transport } from '../../lib/transport/index.js';
import { transportSuite } from '../suites/transport-suite.js';
import { until } from '../support/until.js';
import { wsPair } from '../support/ws-pair.js';

/** Two ends of a link over a WebSocket. */
async function linked(t: { teardown(act: () => unknown): void }): Promise<{
  near: ChannelLink;
  far: ChannelLink;
  below: { client: Transport; server: Transport };
}> {
  const below = await wsPair();
  t.teardown(() => below.close());
  return {
    near: new ChannelLink(below.client, 'connected'),
    far: new ChannelLink(below.server, 'accepted'),
    below,
  };
}

const nextChannel = (link: ChannelLink): Promise<{ name: string; channel: Transport }> =>
  new Promise((resolve) => {
    const stop = link.opened.on((opened) => {
      stop();
      resolve(opened);
    });
  });

t.test('a channel is a transport', async (t) =>
  transportSuite(t, async () => {
    const below = await wsPair();
    const near = new ChannelLink(below.client, 'connected');
    const far = new ChannelLink(below.server, 'accepted');
    const opened = nextChannel(far);
    const client = near.openChannel('one');
    const { channel: server } = await opened;
    return { client, server, close: () => below.close() };
  }),
);

t.test('many channels, opened from both sides, keep their messages apart', async (t) => {
  const { near, far } = await linked(t);
  const heard = new Map<string, Message[]>();
  const listen = (link: ChannelLink): void => {
    link.opened.on(({ name, channel }) => {
      const messages: Message[] = [];
      heard.set(name, messages);
      channel.receive((message) => messages.push(message));
    });
  };
  listen(near);
  listen(far);
  for (let i = 0; i < 50; i++) {
    for (const [side, link] of [
      ['near', near],
      ['far', far],
    ] as const) {
      const channel = link.openChannel(`${side} ${i}`);
      channel.send(`text of ${side} ${i}: d1 o2 "3"`);
      channel.send(new Uint8Array([i, 1, 2]));
      channel.send([new Uint8Array([i]), new Uint8Array([9, 9])]);
    }
  }
  await until(() => heard.size === 100 && [...heard.values()].every(({ length }) => length === 3), 'all');
  for (const [name, [text, bytes, parts]] of heard) {
    const i = Number(name.split(' ')[1]);
    t.equal(text, `text of ${name}: d1 o2 "3"`);
    t.same([...(bytes as Uint8Array)], [i, 1, 2]);
    const whole = Array.isArray(parts) ? Buffer.concat(parts) : (parts as Uint8Array);
    t.same([...whole], [i, 9, 9]);
  }
});

t.test(
  'a channel that nobody reads holds up none of the others, nor takes memory without bound',
  async (t) => {
    const { near, far } = await linked(t);
    const opened: { name: string; channel: Transport }[] = [];
    far.opened.on((one) => opened.push(one));
    const stuck = near.openChannel('stuck');
    const busy = near.openChannel('busy');
    await until(() => opened.length === 2, 'both');
    opened[0]!.channel.pause();
    const block = new Uint8Array(256 * 1024);
    for (let i = 0; i < 64; i++) stuck.send(block);
    let got = 0;
    opened[1]!.channel.receive((message) => (got += (message as Uint8Array).byteLength));
    for (let i = 0; i < 64; i++) busy.send(block);
    await until(() => got === 64 * block.byteLength, 'all of the busy one');
    t.ok(stuck.bufferedBytes >= 7 * 1024 * 1024, 'what has no room waits at its sender, who sees it');
    let late = 0;
    opened[0]!.channel.receive((message) => (late += (message as Uint8Array).byteLength));
    opened[0]!.channel.resume();
    await until(() => late === 64 * block.byteLength, 'the rest, once it is read');
    t.equal(stuck.bufferedBytes, 0);
  },
);

t.test(
  'what is lent is given back once it has left, whole and unchanged, with masks and without',
  async (t) => {
    for (const plainMask of [false, true]) {
      const below = await wsPair(undefined, plainMask);
      t.teardown(() => below.close());
      const near = new ChannelLink(below.client, 'connected');
      const opened = nextChannel(new ChannelLink(below.server, 'accepted'));
      const channel = near.openChannel('one');
      const { channel: far } = await opened;
      const heard: Buffer[] = [];
      far.receive((message) =>
        heard.push(Buffer.concat((Array.isArray(message) ? message : [message]) as Buffer[])),
      );
      far.resume();
      const parts = [Buffer.from('head '), Buffer.alloc(300_000, 'abc')] as const;
      const whole = Buffer.concat(parts);
      let spent = 0;
      for (let i = 0; i < 3; i++) channel.send([parts[0], Buffer.from(parts[1])], () => spent++);
      await until(() => heard.length === 3 && spent === 3, 'three messages, given back');
      for (const message of heard) t.ok(message.equals(whole));
    }
  },
);

t.test('channels end one by one, and all with the link', async (t) => {
  const { near, far, below } = await linked(t);
  const opened: { name: string; channel: Transport }[] = [];
  far.opened.on((one) => opened.push(one));
  const first = near.openChannel('first');
  const second = near.openChannel('second');
  await until(() => opened.length === 2, 'both');
  const ends: string[] = [];
  first.onClose(({ code, reason }) => ends.push(`first ${code} ${reason}`));
  second.onClose(() => ends.push('second'));
  opened[0]!.channel.close(1001, 'The node is gone.');
  await until(() => ends.length === 1, 'the end of the first');
  t.same(ends, ['first 1001 The node is gone.']);
  t.ok(second.open);
  below.server.destroy();
  await until(() => ends.length === 2, 'the end of the second');
  t.equal(near.size, 0);
  t.notOk(near.openChannel('late').open, 'nothing is opened over what is gone');
});

t.test('who sends what is no message of a link is cut', async (t) => {
  for (const bad of ['', 'x', '3', '2oname', `3o${'n'.repeat(300)}`, new Uint8Array([1, 2])]) {
    const [client, server] = memoryPair();
    const link = new ChannelLink(client, 'connected');
    server.send(bad);
    await until(() => client.closed !== undefined, `an end after ${JSON.stringify(bad)}`);
    t.notOk(link.open);
    client.destroy();
    server.destroy();
  }
});
