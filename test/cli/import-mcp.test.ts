import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

const SETTINGS = `{
  // as desktop clients have it
  "mcpServers": {
    "git hub": { "command": "npx", "args": ["-y", "@x/github"], "env": { "GITHUB_TOKEN": "ghp_secret", "MODE": "\${MODE_HERE}" } },
    "remote": { "type": "http", "url": "https://example.org/mcp", "headers": { "Authorization": "Bearer \${TOKEN}" } },
    "off": { "command": "uvx", "args": ["thing"], "disabled": true, "env": { "KEY": "\${input:key}" } },
  },
}`;

t.test(
  'the servers of a desktop client become manifests, and their secrets files of mode 0600',
  async (t) => {
    const dir = temporaryDir(t);
    writeFileSync(join(dir, 'client.json'), SETTINGS);
    const into = join(dir, 'services');
    const ran = await acheron(
      ['import', 'mcp', join(dir, 'client.json'), '--into', into, '--allow', 'user'],
      {
        env: { TOKEN: 'remote_secret', MODE_HERE: 'fast' },
      },
    );
    t.equal(ran.status, 0, ran.stderr);
    t.match(ran.stdout, /git-hub\.json\n.*git-hub\.env \(secrets, mode 0600\)/);
    t.match(ran.stderr, /KEY is not known here: set it in off\.env/);
    const read = (name: string): string => readFileSync(join(into, name), 'utf8');
    const manifest = (name: string): unknown => JSON.parse(read(name));
    t.match(manifest('git-hub.json'), {
      service_id: 'git-hub',
      runtime: { type: 'mcp', command: 'npx', args: ['-y', '@x/github'], env_file: 'git-hub.env' },
      permissions: { allow_roles: ['user'] },
    });
    t.match(manifest('remote.json'), {
      runtime: {
        type: 'mcp',
        url: 'https://example.org/mcp',
        headers: { Authorization: '{env.HEADER_AUTHORIZATION}' },
      },
    });
    t.match(manifest('off.json'), { enabled: false });
    t.equal(read('git-hub.env'), 'GITHUB_TOKEN=ghp_secret\nMODE=fast\n');
    t.equal(read('remote.env'), 'HEADER_AUTHORIZATION=Bearer remote_secret\n');
    for (const name of ['git-hub.env', 'remote.env', 'off.env'])
      t.equal(statSync(join(into, name)).mode & 0o777, 0o600);
    for (const text of [ran.stdout, ran.stderr, read('git-hub.json'), read('remote.json')])
      t.notMatch(text, /ghp_secret|remote_secret/);

    const valid = await acheron(['validate', into]);
    t.equal(valid.status, 0, valid.stderr + valid.stdout);
    const again = await acheron(['import', 'mcp', join(dir, 'client.json'), '--into', into]);
    t.equal(again.status, 1);
    t.match(again.stderr, /exists already\. Nothing was written/);
    t.equal(
      (await acheron(['import', 'mcp', join(dir, 'client.json'), '--into', into, '--force', '--json']))
        .status,
      0,
    );
  },
);

t.test('settings without servers are refused with what to do', async (t) => {
  const file = join(temporaryDir(t), 'client.json');
  for (const [text, words] of [
    ['{"theme":"dark"}', /name no MCP servers/],
    ['{"mcpServers":', /are not JSON/],
  ] as const) {
    writeFileSync(file, text);
    const ran = await acheron(['import', 'mcp', file]);
    t.equal(ran.status, 1);
    t.match(ran.stderr, words);
  }
});
