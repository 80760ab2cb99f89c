import t from 'tap';
import { memoryPair } from '../../lib/transport/index.js';
import { FaultyTransport } from '../support/faulty-transport.js';
import { wsPair } from '../support/ws-pair.js';
import { transportSuite } from '../suites/transport-suite.js';

const inMemory = async () => {
  const [client, server] = memoryPair();
  return {
    client,
    server,
    close: async () => {
      client.destroy();
      server.destroy();
    },
  };
};

t.test('the in-memory pair is a transport', async (t) => transportSuite(t, inMemory));

t.test('a WebSocket is a transport', async (t) => transportSuite(t, () => wsPair()));

t.test('the faulty transport without faults is a transport', async (t) =>
  transportSuite(t, async () => {
    const pair = await inMemory();
    return { ...pair, client: new FaultyTransport(pair.client, {}, () => 0.5) };
  }),
);
