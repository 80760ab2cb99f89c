import t from 'tap';
import { PlaneWithNode } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { until } from '../support/until.js';
import { shellManifest } from '../support/test-node.js';

const SERVICE = 'nodes/n1/services/tool';

const find = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

async function namesIn(files: RawClient, path: string): Promise<string[]> {
  const { node } = (await find(files, path)).payload;
  const { entries } = (await files.ask('t_fs_readdirp', { node }, {})).payload;
  return (entries as { name: string }[]).map(({ name }) => name).sort();
}

async function errnoOfOpen(files: RawClient, path: string, mode: string): Promise<unknown> {
  const { node } = (await find(files, path)).payload;
  return (await files.ask('t_fs_open', { node }, { mode })).error['errno'];
}

t.test(
  'a service whose node is away is listed as before, and what it alone knows is EHOSTDOWN',
  async (t) => {
    const under = await PlaneWithNode.start(t, 'through a tunnel', [shellManifest('tool', 'cat')]);
    const admin = (await under.session({ token: under.token('admin') })).files;
    const user = (await under.session({ token: under.token('user') })).files;
    const here = await namesIn(admin, SERVICE);
    const controls = await namesIn(admin, `${SERVICE}/control`);
    under.unlink();
    await until(
      async () => (await find(admin, `${SERVICE}/jobs/latest`)).error?.['errno'] === 112,
      'the end of the tunnel',
    );
    t.same(await namesIn(admin, SERVICE), here);
    t.same(await namesIn(admin, `${SERVICE}/control`), controls);
    for (const name of ['result.json', 'metrics.json', 'config.json'])
      t.equal(await errnoOfOpen(admin, `${SERVICE}/${name}`, 'r'), 112, name);
    t.equal(await errnoOfOpen(admin, `${SERVICE}/control/disable`, 'w'), 112);
    t.match(await find(admin, `${SERVICE}/jobs/by-key/k`), { error: { errno: 112, hint: /by-key/ } });
    t.equal(await errnoOfOpen(user, `${SERVICE}/config.json`, 'r'), 13, 'rights are as before');
    t.equal(await errnoOfOpen(user, `${SERVICE}/control/disable`, 'w'), 13);
    t.match(await find(admin, `${SERVICE}/nothing`), { error: { errno: 2 } }, 'and what never was is absent');
  },
);
