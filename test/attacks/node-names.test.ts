import t from 'tap';
import { runPlane } from '../../lib/compose/index.js';
import { temporaryDir } from '../support/test-node.js';

t.test('no node takes the place of a file of /nodes: its name is refused, however it joins', async (t) => {
  const plane = await runPlane({ stateDir: temporaryDir(t), port: 0 });
  t.teardown(() => plane.close());
  const { store } = plane.control;
  const { token } = store.pairing.createInvite(60_000);
  for (const nodeName of ['NODES.json', 'nodes.JSON', 'INDEX.tsv', 'index.tsv']) {
    const facts = { nodeName, platform: 'p', labels: {}, fsUrl: null };
    t.throws(
      () => store.pairing.joinByInvite(token, facts, 1000),
      { code: 'EINVAL' },
      `${nodeName}, invited`,
    );
    t.throws(() => store.pairing.request(facts, '10.0.0.1'), { code: 'EINVAL' }, `${nodeName}, asking`);
    t.throws(() => plane.control.attachInProcessNode({ nodeName, platform: 'p', labels: {} }), {
      code: 'EINVAL',
    });
  }
  t.same(store.nodes.list(), []);
  t.equal(store.pairing.activeInvites().length, 1, 'the invite is good still');
});
