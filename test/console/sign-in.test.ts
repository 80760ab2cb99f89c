import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { ControlStore } from '../../lib/control/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { PlaneWithNode } from '../support/plane-with-node.js';
import { ConsoleBrowser, consoleLink, withoutBrowser } from '../support/console.js';
import { temporaryDir } from '../support/test-node.js';

t.setTimeout(180_000);

const ECHO = {
  service_id: 'echo',
  kind: 'test',
  runtime: { type: 'native_proc', executable_path: '/bin/cat' },
  permissions: { allow_roles: ['admin', 'user'] },
};
const SECRETS = { ...ECHO, service_id: 'for-admins', permissions: { allow_roles: ['admin'] } };

async function started(t: Test): Promise<PlaneWithNode> {
  return PlaneWithNode.start(t, 'here', [ECHO, SECRETS], 'admin', {}, { console: true });
}

const httpOf = ({ plane }: PlaneWithNode): string => plane.url.replace(/^ws/, 'http');

function exchange(
  under: PlaneWithNode,
  code: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${httpOf(under)}/console/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: httpOf(under), ...headers },
    body: JSON.stringify({ code }),
  });
}

const codeOf = async (under: PlaneWithNode, role?: 'user'): Promise<string> =>
  (await consoleLink(under.admin, under.plane.url, role)).split('#code=')[1]!;

/** How a handshake ends: `open`, or the status that refused it. */
function handshake(under: PlaneWithNode, path: string, protocols: string[], headers = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${under.plane.url}${path}`, protocols, {
      headers: { origin: httpOf(under), ...headers },
    });
    socket.on('open', () => {
      resolve(`open as ${socket.protocol}`);
      socket.terminate();
    });
    socket.on('unexpected-response', (request, response) => {
      resolve(String(response.statusCode));
      request.destroy();
    });
    socket.on('error', () => undefined);
  });
}

t.test(
  '[P] a link signs one page in, once, and leaves no secret behind',
  { skip: withoutBrowser },
  async (t) => {
    const under = await started(t);
    const browser = await ConsoleBrowser.start(t);
    const link = await consoleLink(under.admin, under.plane.url);
    const page = await browser.page();
    const addresses: string[] = [];
    page.on('request', (request) => addresses.push(request.url()));
    page.on('websocket', (socket) => addresses.push(socket.url()));
    await page.goto(link);
    await page.getByRole('link', { name: /echo/ }).waitFor();
    const code = link.split('#code=')[1]!;
    const kept = await page.evaluate<string>(
      'JSON.stringify([location.href, {...localStorage}, {...sessionStorage}, document.cookie, history.state])',
    );
    t.notMatch(kept, code);
    t.notMatch(kept, /acheron_console/);
    await page.goto('about:blank');
    await page.goBack();
    t.notMatch(page.url(), code, 'nor does the history');
    for (const address of addresses) {
      t.equal(new URL(address).search, '', `nothing in the query of ${address.split('#')[0]}`);
      t.ok(new URL(address).host === new URL(link).host, 'nothing is loaded from elsewhere');
    }
    t.ok(addresses.some((address) => address.endsWith('/console/control')));

    const second = await browser.page();
    await second.goto(link);
    await second.getByRole('alert').getByText('This link was used already').waitFor();
    t.same(
      browser.complaints.filter((text) => !/401/.test(text)),
      [],
    );
  },
);

t.test(
  'a session ends when the page goes, when it signs out, and with its token',
  { skip: withoutBrowser },
  async (t) => {
    const under = await started(t);
    const { store } = under.plane.control;
    const browser = await ConsoleBrowser.start(t);
    const before = store.sessions.list().length;
    const page = await browser.signedIn(await consoleLink(under.admin, under.plane.url));
    t.equal(store.sessions.list().length, before + 1);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('This session has ended.').waitFor();
    t.equal(store.sessions.list().length, before);

    const left = await browser.signedIn(await consoleLink(under.admin, under.plane.url));
    await left.goto('about:blank');
    for (let tries = 0; tries < 200 && store.sessions.list().length > before; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(store.sessions.list().length, before, 'the page went, and its session with it');

    const user = under.client({ token: under.token('user', 'ada') });
    const { session } = await user.ready();
    const theirs = await browser.signedIn(await consoleLink(user, under.plane.url));
    await theirs.getByText('user · ada').waitFor();
    store.tokens.revoke(store.sessions.require(session!).tokenId);
    await theirs.getByText('This session has ended.').waitFor();
  },
);

t.test(
  'a lowered console sees what a user sees, and gains nothing by the token',
  { skip: withoutBrowser },
  async (t) => {
    const under = await started(t);
    const browser = await ConsoleBrowser.start(t);
    const admin = await browser.signedIn(await consoleLink(under.admin, under.plane.url));
    await admin.getByRole('link', { name: /for-admins/ }).waitFor();
    const user = await browser.signedIn(await consoleLink(under.admin, under.plane.url, 'user'));
    await user.getByRole('link', { name: /echo/ }).waitFor();
    t.equal(await user.getByRole('link', { name: /for-admins/ }).count(), 0);
    t.match(await user.getByRole('search').getByRole('status').textContent(), /^1 service$/);
  },
);

t.test('[P] a console secret opens its own session alone', async (t) => {
  const under = await started(t);
  const answer = await exchange(under, await codeOf(under, 'user'));
  t.equal(answer.status, 200);
  t.equal(answer.headers.get('cache-control'), 'no-store');
  const { secret, session } = (await answer.json()) as { secret: string; session: string };

  t.equal(await handshake(under, '/console/control', ['acheron', secret]), 'open as acheron');
  t.equal(await handshake(under, '/console/fs', ['acheron', secret]), 'open as acheron');
  const other = under.token('admin');
  for (const protocols of [['acheron'], ['acheron', `${secret}x`], ['acheron', other]])
    t.equal(await handshake(under, '/console/control', protocols), '401', 'no secret, or another');
  for (const origin of [
    'http://evil.example',
    'null',
    'http://127.0.0.1:1',
    httpOf(under).replace('http', 'ftp'),
  ])
    t.equal(await handshake(under, '/console/control', ['acheron', secret], { origin }), '403', origin);
  t.equal(await handshake(under, '/', ['acheron', secret]), '403', 'elsewhere no page is let in');

  const bearer = new WebSocket(`${under.plane.url}/`, { headers: { authorization: `Bearer ${secret}` } });
  t.equal(
    await new Promise((resolve) => {
      bearer.on('unexpected-response', (_, response) => resolve(response.statusCode));
      bearer.on('open', () => resolve('open'));
      bearer.on('error', () => undefined);
    }),
    401,
    'it is no token',
  );

  const socket = new WebSocket(`${under.plane.url}/console/control`, ['acheron', secret], {
    headers: { origin: httpOf(under) },
  });
  t.teardown(() => socket.terminate());
  await new Promise((resolve) => socket.once('open', resolve));
  const ask = (type: string, payload: object): Promise<{ error?: { code: string }; payload?: never }> => {
    socket.send(JSON.stringify({ channel: 'control', type, id: '1', payload }));
    return new Promise((resolve) =>
      socket.once('message', (text: Buffer) => resolve(JSON.parse(text.toString()) as never)),
    );
  };
  await ask('control.version', { protocol: 'unified-v2' });
  const admins = (await under.admin.ready()).session;
  t.match(await ask('control.connect', { session: admins }), { error: { code: 'not_found' } });
  t.match(await ask('control.connect', {}), { payload: { session, role: 'user' } });
  t.match(await ask('control.session_resume', { session: admins }), { error: { code: 'not_found' } });
  t.match(await ask('control.session_close', { session: admins }), { error: { code: 'not_found' } });
  t.match(await ask('control.token_list', {}), { error: { code: 'forbidden' } });
  t.match(await ask('control.session_list', {}), { payload: { sessions: [{ session }] } });
});

t.test('a code is good for a minute, and once; what is kept of it is no code', (t) => {
  const clock = new FakeClock();
  const stateDir = temporaryDir(t);
  const store = new ControlStore({ stateDir, clock });
  t.teardown(() => store.close());
  const links = store.consoleLinks;
  const asker = { tokenId: 'a', sessionId: null, maxRole: 'user' } as const;
  const [first, second] = [links.create(asker), links.create(asker)];
  clock.advance(59_999);
  t.same(links.take(first.code), asker);
  t.equal(links.take(first.code), undefined);
  clock.advance(1);
  t.equal(links.take(second.code), undefined);
  for (let i = 0; i < 64; i++) links.create(asker);
  t.throws(() => links.create(asker), { code: 'EBUSY' });
  const { code } = links.create({ ...asker, tokenId: 'b' });
  for (const file of readdirSync(stateDir)) t.notOk(readFileSync(join(stateDir, file)).includes(code), file);
  t.end();
});

t.test('guessing a code is slowed, and only this page may try', async (t) => {
  const under = await started(t);
  const good = await codeOf(under);
  t.equal((await exchange(under, good, { origin: 'http://evil.example' })).status, 403);
  const took = [];
  for (const code of ['x', 'A'.repeat(43), 7]) {
    const since = performance.now();
    t.equal((await exchange(under, code)).status, 401);
    took.push(performance.now() - since);
  }
  const leastMs = [200, 450, 950];
  t.ok(
    took.every((ms, at) => ms > leastMs[at]!),
    `each later than the one before: ${took.map(Math.round).join(', ')} ms`,
  );
  t.equal((await exchange(under, good)).status, 200, 'none of which delays who has a good one');
  t.equal((await exchange(under, good)).status, 401, 'once');
  const { store } = under.plane.control;
  t.ok(store.audit.tail(50).some((entry) => JSON.stringify(entry).includes('bad_console_code')));
});

t.test(
  'pages come with a policy that lets nothing in, and are there only where they are wanted',
  async (t) => {
    const under = await started(t);
    const page = await fetch(`${httpOf(under)}/console/`);
    const policy = page.headers.get('content-security-policy') ?? '';
    t.notMatch(policy, /unsafe|\*|http:|data:/);
    t.match(policy, /default-src 'none'/);
    t.match(policy, /frame-ancestors 'none'/);
    t.match(policy, /require-trusted-types-for 'script'/);
    t.equal(page.headers.get('cache-control'), 'no-store');
    t.equal((await fetch(`${httpOf(under)}/console/../control.db`)).status, 404);
    t.equal((await fetch(`${httpOf(under)}/console/%2e%2e/package.json`)).status, 404);
    t.equal((await fetch(`${httpOf(under)}/console`, { redirect: 'manual' })).status, 308);
    t.equal((await fetch(`${httpOf(under)}/console/control`)).status, 403, 'a socket is for pages alone');
    const foreign = await fetch(`${httpOf(under)}/console/`, { headers: { origin: 'http://evil.example' } });
    t.equal(foreign.status, 403);

    const without = await PlaneWithNode.start(t, 'here', [ECHO]);
    for (const path of ['/console/', '/console/session', '/console/control'])
      t.equal((await fetch(`${httpOf(without)}${path}`)).status, 404);
    t.equal(await handshake(without, '/console/control', ['acheron', 'x']), '403');
  },
);
