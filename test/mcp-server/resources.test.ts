import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ERAS, mcpByHttp } from '../support/mcp.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

for (const era of ERAS)
  t.test(`exports are resources of the ${era} protocol, and nothing beyond them is`, async (t) => {
    const dir = temporaryDir(t);
    const data = join(dir, 'data');
    mkdirSync(join(data, 'sub dir'), { recursive: true });
    writeFileSync(join(dir, 'secret'), 'secret');
    writeFileSync(join(data, 'a.txt'), 'text of a\n');
    writeFileSync(join(data, 'sub dir', 'b%.bin'), Buffer.from([0, 1, 255]));
    writeFileSync(join(data, 'large'), Buffer.alloc(1024 * 1024 + 1, 'x'));
    symlinkSync('../secret', join(data, 'out'));
    const exports = [{ name: 'data', path: data, readOnly: true }];
    const under = await PlaneWithNode.start(t, 'here', [shellManifest('echo', 'cat')], 'admin', { exports });
    const client = await mcpByHttp(t, era, { url: under.plane.url, token: under.token('user') });
    const { resources } = await client.listResources();
    t.same(resources.map(({ uri }) => uri).sort(), [
      'acheron://n1/data/',
      'acheron://n1/data/a.txt',
      'acheron://n1/data/large',
      'acheron://n1/data/out',
      'acheron://n1/data/sub%20dir/',
    ]);
    const { resourceTemplates } = await client.listResourceTemplates();
    t.match(resourceTemplates, [{ uriTemplate: 'acheron://{node}/{export}/{+path}' }]);
    const read = async (uri: string) => (await client.readResource({ uri })).contents[0];
    t.match(await read('acheron://n1/data/a.txt'), { text: 'text of a\n' });
    t.match(await read('acheron://n1/data/sub%20dir/b%25.bin'), { blob: 'AAH/' });
    t.match(await read('acheron://n1/data/sub%20dir/'), {
      text: /"uri":"acheron:\/\/n1\/data\/sub%20dir\/b%25.bin"/,
    });
    await t.rejects(read('acheron://n1/data/large'), /EFBIG/);
    for (const path of [
      'data/none',
      'data/../../services',
      'data/%2e%2e/x',
      'none/a',
      '',
      'data/out',
      'data/%2Fetc',
    ])
      await t.rejects(read(`acheron://n1/${path}`), path);
    await t.rejects(read('file:///etc/passwd'));
  });
