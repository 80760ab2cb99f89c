import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
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
    writeFileSync(join(data, 'dot.png'), Buffer.from('iVBOR/8=', 'base64'));
    writeFileSync(join(data, 'sub dir', 'Makefile'), 'all:\n');
    symlinkSync('../secret', join(data, 'out'));
    const exports = [{ name: 'data', path: data, readOnly: true }];
    const under = await PlaneWithNode.start(t, 'here', [shellManifest('echo', 'cat')], 'admin', { exports });
    const client = await mcpByHttp(t, era, { url: under.plane.url, token: under.token('user') });
    const { resources } = await client.listResources();
    t.same(resources.map(({ uri }) => uri).sort(), [
      'acheron://n1/data/',
      'acheron://n1/data/a.txt',
      'acheron://n1/data/dot.png',
      'acheron://n1/data/large',
      'acheron://n1/data/out',
      'acheron://n1/data/sub%20dir/',
    ]);
    const types = new Map(resources.map(({ uri, mimeType }) => [uri, mimeType]));
    t.equal(types.get('acheron://n1/data/a.txt'), 'text/plain');
    t.equal(types.get('acheron://n1/data/sub%20dir/'), 'inode/directory');
    t.equal(types.get('acheron://n1/data/large'), undefined, 'what its name does not say, only a look would');
    const { resourceTemplates } = await client.listResourceTemplates();
    t.match(resourceTemplates, [{ uriTemplate: 'acheron://{node}/{export}/{+path}' }]);
    const read = async (uri: string) => (await client.readResource({ uri })).contents[0];
    t.match(await read('acheron://n1/data/a.txt'), { text: 'text of a\n', mimeType: 'text/plain' });
    t.match(await read('acheron://n1/data/sub%20dir/b%25.bin'), {
      ...{ blob: 'AAH/', mimeType: 'application/octet-stream' },
    });
    t.match(await read('acheron://n1/data/dot.png'), { blob: 'iVBOR/8=', mimeType: 'image/png' });
    t.match(await read('acheron://n1/data/sub%20dir/Makefile'), { text: 'all:\n', mimeType: 'text/plain' });
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

for (const era of ERAS)
  t.test(`an export that one may not list hides no other, in the ${era} protocol`, async (t) => {
    const dir = temporaryDir(t);
    for (const name of ['closed', 'open']) mkdirSync(join(dir, name));
    writeFileSync(join(dir, 'open', 'a.txt'), 'text of a\n');
    chmodSync(join(dir, 'closed'), 0);
    t.teardown(() => chmodSync(join(dir, 'closed'), 0o755));
    const exports = ['closed', 'open'].map((name) => ({ name, path: join(dir, name), readOnly: true }));
    const under = await PlaneWithNode.start(t, 'here', [], 'admin', { exports });
    const client = await mcpByHttp(t, era, { url: under.plane.url, token: under.token('user') });
    const { resources } = await client.listResources();
    t.strictSame(
      resources.map(({ uri }) => uri),
      ['acheron://n1/closed/', 'acheron://n1/open/', 'acheron://n1/open/a.txt'],
    );
    await t.rejects(client.readResource({ uri: 'acheron://n1/closed/' }), /EACCES/);
  });
