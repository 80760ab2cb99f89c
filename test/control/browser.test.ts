import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { planeFor } from '../support/plane.js';
import { temporaryDir } from '../support/store.js';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
  ...['--disable-dev-shm-usage', '--host-resolver-rules=MAP rebound.example 127.0.0.1'],
];

/** What a page finds that tries all that a page can; it posts that to where it came from. */
const PAGE = `<!doctype html><script type="module">
const [plane, token] = location.hash.slice(1).split(',');
const socket = (url, protocols) => new Promise((resolve) => {
  const ws = new WebSocket(url, protocols);
  ws.onopen = () => { ws.close(); resolve('open'); };
  ws.onerror = () => resolve('refused');
});
const page = (url, options) => fetch(url, options).then((r) => r.type + ' ' + r.status, () => 'refused');
const found = {};
for (const host of ['127.0.0.1', 'localhost']) {
  found['control ' + host] = await socket('ws://' + host + ':' + plane + '/');
  found['files ' + host] = await socket('ws://' + host + ':' + plane + '/v2/fs');
  found['fetch ' + host] = await page('http://' + host + ':' + plane + '/metrics');
  found['token ' + host] = await page('http://' + host + ':' + plane + '/metrics',
    { headers: { authorization: 'Bearer ' + token } });
}
await fetch('/found', { method: 'POST', body: JSON.stringify(found) });
</script>`;

/** Serves the page under an origin of its own, and answers with what the page found. */
async function site(t: Test): Promise<{ origin: string; found: Promise<Record<string, string>> }> {
  let report!: (found: Record<string, string>) => void;
  const found = new Promise<Record<string, string>>((resolve) => (report = resolve));
  const server: Server = createServer((request, response) => {
    if (request.method !== 'POST') {
      response.setHeader('content-type', 'text/html').end(PAGE);
      return;
    }
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.end();
      report(JSON.parse(body) as Record<string, string>);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, found };
}

function browse(t: Test, ...args: readonly string[]): ChildProcess {
  const profile = temporaryDir(t);
  const child = spawn(CHROMIUM, [...FLAGS, `--user-data-dir=${profile}`, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    process.kill(-child.pid!, 'SIGKILL');
    await once(child, 'exit');
  });
  return child;
}

/** The text that the browser shows at an address. */
async function shown(t: Test, url: string): Promise<string> {
  const child = browse(t, '--dump-dom', url);
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child, 'close');
  return text;
}

const skip = existsSync(CHROMIUM) ? false : 'it needs a browser: the Debian package chromium';

t.test(
  '[P] a page in a real browser cannot reach the control plane',
  { skip, timeout: 300_000 },
  async (t) => {
    const [foreign, ours] = [await site(t), await site(t)];
    const under = await planeFor(t, { allowOrigins: [ours.origin] });
    const hash = `#${under.plane.port},${under.token('admin')}`;
    browse(t, foreign.origin + '/' + hash);
    browse(t, ours.origin + '/' + hash);
    for (const [what, got] of Object.entries(await foreign.found)) t.equal(got, 'refused', what);
    const allowed = await ours.found;
    for (const [what, got] of Object.entries(allowed))
      t.equal(got, /control|files/.test(what) ? 'open' : 'refused', `allowed: ${what} (there is no CORS)`);
    t.equal(Object.keys(allowed).length, 8);
    t.equal(under.plane.store.sessions.list().length, 0, 'and none of them got a session');
  },
);

t.test('[P] a name that was rebound to our address is not us', { skip, timeout: 300_000 }, async (t) => {
  const under = await planeFor(t);
  const [rebound, local] = await Promise.all([
    shown(t, `http://rebound.example:${under.plane.port}/livez`),
    shown(t, `http://localhost:${under.plane.port}/livez`),
  ]);
  t.match(rebound, /This host is not us/);
  t.match(local, /ok/);
});
