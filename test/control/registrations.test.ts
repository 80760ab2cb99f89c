import t from 'tap';
import { ControlClient } from '../../lib/control/index.js';
import { planeFor } from '../support/plane.js';
import { until } from '../support/until.js';
import { descriptor, FACTS } from '../support/store.js';

t.test(
  'of many nodes that come at once a few are greeted at a time, the next as one has registered or gone',
  async (t) => {
    const under = await planeFor(t);
    const { store } = under.plane;
    const greeted: { client: ControlClient; id: string; secret: string; epoch: number }[] = [];
    let failed = 0;
    for (let n = 0; n < 70; n++) {
      const { nodeId: id, nodeSecret: secret } = store.nodes.join({ ...FACTS, nodeName: `n${n}` }, 60_000);
      const client = new ControlClient({
        url: under.url,
        connect: () => ({ node_id: id, node_secret: secret }),
      });
      client.connected.on(({ node }) => greeted.push({ client, id, secret, epoch: node!.epoch }));
      client.states.on(({ state }) => (failed += state === 'backing-off' ? 1 : 0));
      t.teardown(() => client.close());
      client.start();
    }
    await until(() => greeted.length === 64, '64 are greeted');
    const online = (): number => store.nodes.list().filter((node) => node.online).length;
    await (await under.admin()).request('node_list', {});
    t.equal(online(), 64, 'those who wait have not taken over, and others are served');
    greeted[0]!.client.close();
    await until(() => greeted.length === 65, 'one has gone');
    for (let n = 1; n < 70; n++) {
      await until(() => greeted.length > n, `node ${n}`);
      const { client, id, secret, epoch } = greeted[n]!;
      const services = [descriptor('echo')];
      await client.request('node_service_upsert', { node_id: id, node_secret: secret, epoch, services });
    }
    t.equal(greeted.length, 70);
    t.equal(failed, 0, 'no attempt failed');
  },
);
