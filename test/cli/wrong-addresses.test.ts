import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';

const dir = mkdtempSync(join(tmpdir(), 'acheron-addresses-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const token = join(dir, 'token');
writeFileSync(token, 'a-token\n', { mode: 0o600 });

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

const web = await portOf(createHttpServer((_request, response) => void response.end('hello')));
const free = createServer();
const nobody = await portOf(free);
free.close();

/** Internals of Node, OpenSSL and libc that say nothing to a person. */
const INTERNALS =
  /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|getaddrinfo|SSL routines|ssl3_|openssl|syscall|open '|scandir/;

for (const [title, url, said] of [
  [
    'a web server',
    `ws://127.0.0.1:${web}`,
    /answered HTTP 200 instead of a WebSocket\. \(EPROTO\)\nSomething else listens there/,
  ],
  [
    'nothing',
    `ws://127.0.0.1:${nobody}`,
    /nothing listens there\. \(EHOSTDOWN\)\nStart it with `acheron control`/,
  ],
  ['a name that nobody has', 'ws://plane.invalid:1', /the name plane\.invalid.*\. \(EHOSTDOWN\)\n/],
  [
    'a server without TLS',
    `wss://127.0.0.1:${web}`,
    /does not speak TLS\. \(EPROTO\)\nWrite ws:\/\/ instead of wss:\/\//,
  ],
] as const) {
  t.test(`${title} at the address of the control plane: each command says so, and what to do`, async (t) => {
    const where = ['--control-url', url, '--token-file', token];
    for (const args of [
      ['nodes', 'list', ...where],
      ['ls', '/', ...where],
      ['mount', join(dir, 'mnt'), '--state-dir', join(dir, 'state'), ...where],
    ]) {
      const { status, stderr } = await acheron(args);
      t.equal(status, 1, args.join(' '));
      t.match(stderr, said);
      t.notMatch(stderr, INTERNALS);
    }
  });
}

t.test('files that cannot be read are named, with the reason in words and what to do', async (t) => {
  const missing = join(dir, 'missing');
  const state = join(dir, 'state');
  for (const args of [
    ['ls', '/', '--control-url', `ws://127.0.0.1:${nobody}`, '--token-file', missing],
    [
      'mount',
      join(dir, 'mnt'),
      '--control-url',
      `ws://127.0.0.1:${nobody}`,
      '--state-dir',
      state,
      '--token-file',
      missing,
    ],
    [
      'node',
      '--state-dir',
      state,
      '--control-url',
      `ws://127.0.0.1:${nobody}`,
      '--invite-token-file',
      missing,
    ],
    ['control', '--state-dir', state, '--port', '0', '--tls-cert', missing, '--tls-key', missing],
    ['up', join(dir, 'mnt'), '--state-dir', token, '--port', '0'],
    ['up', join(dir, 'mnt'), '--config', missing],
    ['project', 'create', 'web', '--state-dir', state, '--policy', missing],
  ]) {
    const { stderr } = await acheron(args);
    const [first = '', hint = ''] = stderr.split('\n');
    t.match(first, /^(?:acheron|error): .*(?:missing|token).*\.(?: \(E[A-Z]+\))?$/, args.join(' '));
    t.notMatch(stderr, INTERNALS);
    t.match(hint, /^[A-Z].*[^ ]$/, `what to do: ${stderr}`);
  }
});
