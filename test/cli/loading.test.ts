import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MODULES_PROGRAM } from '../support/acheron.js';
import { cleanEnvironment } from '../support/mount-child.js';
import { temporaryDir } from '../support/test-node.js';

/** Prints on standard error each module that is imported. */
const HOOK = `data:text/javascript,${encodeURIComponent(
  `import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(2, 'LOADED ' + url + '\\n'); return next(url, context); }`,
)}`;
/** The same, and each that is required. */
const REGISTER = `data:text/javascript,${encodeURIComponent(
  `import Module, { register } from 'node:module';
import { writeSync } from 'node:fs';
register(${JSON.stringify(HOOK)});
const load = Module._extensions['.js'];
Module._extensions['.js'] = (module, file) => { writeSync(2, 'LOADED file://' + file + '\\n'); load(module, file); };`,
)}`;

async function loadedBy(args: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', REGISTER, MODULES_PROGRAM, ...args], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  await once(child, 'close');
  return [...said.matchAll(/^LOADED (.+)$/gm)].map(([, url]) => url!);
}

const SERVER = /\/dist\/lib\/control\/(server|store\/(?!first-start))/;
const STORAGE = /\/node_modules\/(libsql|prom-client)\//;
const SERVICES = /\/dist\/lib\/(services|drivers|registry|manifest)\/|\/node_modules\/ajv\//;

t.test('a command that asks a control plane loads none, and no node', async (t) => {
  const loaded = await loadedBy(['status', '--state-dir', temporaryDir(t)]);
  t.ok(
    loaded.some((url) => url.includes('/lib/control/client/')),
    'it loads the client',
  );
  t.same(
    loaded.filter((url) => [SERVER, STORAGE, SERVICES].some((kind) => kind.test(url))),
    [],
  );
});

t.test('the mount of a control plane loads none, and no node', async (t) => {
  const dir = temporaryDir(t);
  const loaded = await loadedBy([
    'mount',
    dir,
    '--control-url',
    'ws://127.0.0.1:9',
    '--connect-timeout-ms',
    '1',
  ]);
  t.ok(
    loaded.some((url) => url.includes('/lib/fuse/')),
    'it loads what mounts',
  );
  t.same(
    loaded.filter((url) => [SERVER, STORAGE, SERVICES].some((kind) => kind.test(url))),
    [],
  );
});

t.test('help loads neither', async (t) => {
  const loaded = await loadedBy(['--help']);
  t.ok(loaded.length > 0);
  t.same(
    loaded.filter(
      (url) => url.includes('/node_modules/') && !/\/(commander|picocolors|jsonc-parser)\//.test(url),
    ),
    [],
  );
});

t.test('manifests and templates that are right are read without ajv, others with it', async (t) => {
  const dir = temporaryDir(t);
  const bundled = join(import.meta.dirname, '../../../manifests/services');
  const loaded = await loadedBy(['validate', bundled]);
  t.ok(
    loaded.some((url) => url.includes('/lib/manifest/')),
    'it loads what reads them',
  );
  t.same(
    loaded.filter((url) => url.includes('/node_modules/ajv/')),
    [],
  );
  const wrong = join(dir, 'wrong.json');
  writeFileSync(wrong, JSON.stringify({ service_id: 'a', kind: 1 }));
  t.ok((await loadedBy(['validate', wrong])).some((url) => url.includes('/node_modules/ajv/')));
});

t.test(
  'a control plane, which reads no manifest and is not asked for /mcp, loads no ajv and nothing of MCP',
  async (t) => {
    const dir = temporaryDir(t);
    // The port is none that it could have: it has loaded all that it needs by then.
    const loaded = await loadedBy(['control', '--state-dir', dir, '--port', '65536']);
    t.ok(
      loaded.some((url) => SERVER.test(url)),
      'it loads the server',
    );
    t.same(
      loaded.filter((url) => /\/node_modules\/(ajv|@modelcontextprotocol)\//.test(url)),
      [],
    );
  },
);

t.test('what knows the runtimes of services does not load what speaks to MCP servers', async (t) => {
  const file = join(temporaryDir(t), 'server.json');
  const manifest = { service_id: 'server', kind: 'mcp', runtime: { type: 'mcp', command: 'cat' } };
  writeFileSync(file, JSON.stringify(manifest));
  const loaded = await loadedBy(['validate', file]);
  t.ok(loaded.some((url) => url.includes('/lib/drivers/mcp/')));
  t.same(
    loaded.filter((url) => url.includes('/@modelcontextprotocol/')),
    [],
  );
});
