import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest } from '../support/test-node.js';
import { until } from '../support/until.js';
import { HostileUser, listAt, readAt, writeAt } from './fixtures/hostile-user.js';

const SLOW = shellManifest('slow', 'cat; exec sleep 30');
const ECHO = shellManifest('echo', 'cat');
const ROLE = shellManifest('role', 'printf \'{"role":"%s"}\' "$ACHERON_CALL_ROLE"');
const at = (service: string, file: string): string => `/nodes/n1/services/${service}/${file}`;

t.test(
  'an admin who is capped to a user is not one of the users: nobody reads his outcomes or ends his calls',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [SLOW, ECHO, ROLE], 'user');
    const capped = await new HostileUser(t, under.plane.url, under.token('admin')).files();
    const user = await new HostileUser(t, under.plane.url, under.token('user')).files();

    t.equal(
      await writeAt(capped, at('echo', 'control/invoke.json'), '{"secret":"of the admin","_key":"k"}'),
      0,
    );
    t.match(await readAt(capped, at('echo', 'result.json')), /of the admin/);
    const [job] = (await listAt(capped, at('echo', 'jobs'))) as string[];
    t.match(
      await readAt(capped, at('echo', `jobs/${job!}/status.json`)),
      /"role": "admin"/,
      'known as what he is',
    );
    t.same(await listAt(user, at('echo', 'jobs')), ['by-key'], 'the user sees no job of his');
    t.equal(await readAt(user, at('echo', `jobs/${job!}/result.json`)), 2);
    t.notMatch(await readAt(user, at('echo', 'result.json')), /secret/);
    t.match(await readAt(user, at('echo', 'status.json')), /"state": "idle"/);
    t.equal(await readAt(user, at('echo', 'jobs/by-key/k/result.json')), 2);
    t.notMatch(await readAt(user, '/events.ndjson'), /invocation_finished/);

    const calling = writeAt(capped, at('slow', 'control/invoke.json'), '{}');
    const state = (): Promise<string | number> => readAt(capped, at('slow', 'status.json'));
    await until(async () => /running/.test(String(await state())));
    t.equal(await writeAt(user, at('slow', 'control/cancel'), 'x'), 0, 'which touches his own alone');
    t.equal(await writeAt(user, at('slow', 'control/reset'), 'x'), 0);
    t.match(await state(), /running/);
    t.equal(await writeAt(capped, at('slow', 'control/cancel'), 'x'), 0);
    t.equal(await calling, 125, 'cancelled by himself');
  },
);

t.test(
  'a capped admin has the rights of a user: no control, no jobs of others, the role of a user',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [ECHO, ROLE], 'user');
    const capped = await new HostileUser(t, under.plane.url, under.token('admin')).files();
    const user = await new HostileUser(t, under.plane.url, under.token('user')).files();
    t.equal(await writeAt(user, at('echo', 'control/invoke.json'), '{"of":"the user"}'), 0);
    t.same(await listAt(capped, at('echo', 'jobs')), ['by-key']);
    t.equal(await writeAt(capped, at('echo', 'control/disable'), 'x'), 13);
    t.equal(await writeAt(capped, at('role', 'control/invoke.json'), '{}'), 0);
    t.match(await readAt(capped, at('role', 'result.json')), /"role": ?"user"/);
  },
);
