import type { lookup } from 'node:dns';
import t from 'tap';
import { addressRules } from '../../lib/drivers/index.js';
import { callOf, resultOf } from '../support/drivers.js';
import { httpDriver } from '../support/http-runtime.js';
import { httpServer, json } from '../support/http-server.js';
import { failsWith } from '../suites/driver-suite.js';

const PUBLIC_ONLY = { addresses: addressRules([]) };

t.test('which addresses are public', async (t) => {
  const rules = addressRules([]);
  for (const address of ['93.184.216.34', '1.1.1.1', '2606:4700::1111', '::ffff:1.1.1.1', '64:ff9b::101:101'])
    t.ok(rules.allows(address), address);
  for (const address of [
    ...[
      '0.0.0.0',
      '127.0.0.1',
      '127.255.255.254',
      '10.1.2.3',
      '172.31.0.1',
      '192.168.1.1',
      '169.254.169.254',
    ],
    ...['100.64.0.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '192.0.2.1', '240.0.0.1'],
    ...[
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::127.0.0.1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd00:ec2::254',
    ],
    ...[
      'ff02::1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
      '2001:db8::1',
      'no address',
      '',
    ],
  ])
    t.notOk(rules.allows(address), address);
});

t.test('an operator allows ranges by name or number', async (t) => {
  const rules = addressRules(['loopback', '10.1.0.0/16', '192.168.1.7', 'fd00::/8']);
  for (const address of ['127.0.0.9', '::1', '::ffff:127.0.0.1', '10.1.255.1', '192.168.1.7', 'fd12::1'])
    t.ok(rules.allows(address), address);
  for (const address of ['10.2.0.1', '192.168.1.8', '169.254.169.254', '0.0.0.0', 'fc00::1'])
    t.notOk(rules.allows(address), address);
  t.ok(addressRules(['all']).allows('0.0.0.0'));
  for (const wrong of ['10.0.0.0/33', 'localhost', '10.0.0.0/8/8', '', '1.2.3/8'])
    t.throws(() => addressRules([wrong]), { code: 'EINVAL' }, wrong);
});

t.test('an address of this machine is refused, however it is written', async (t) => {
  const server = await httpServer(t, (_got, response) => json(response, { reached: true }));
  for (const host of [
    '127.0.0.1',
    'localhost',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '017700000001',
    '[::ffff:127.0.0.1]',
    '[::1]',
    '127.1',
  ]) {
    const driver = httpDriver(
      t,
      { url: `http://${host}:${server.port}/`, retries: 0 },
      { context: PUBLIC_ONLY },
    );
    failsWith(t, await driver.invoke(callOf({})), 'EACCES', /not a public address/);
  }
  t.equal(server.connections(), 0);
});

/** Answers names by lists of addresses, another with each question. */
function resolverOf(answers: string[][]): { resolver: typeof lookup; asked: () => number } {
  let asked = 0;
  const resolver = (
    _host: string,
    options: { all?: boolean },
    callback: (...values: unknown[]) => void,
  ): void => {
    const addresses = answers[Math.min(asked++, answers.length - 1)]!.map((address) => ({
      address,
      family: 4,
    }));
    setImmediate(() =>
      options.all === true ? callback(null, addresses) : callback(null, addresses[0]!.address, 4),
    );
  };
  return { resolver: resolver as unknown as typeof lookup, asked: () => asked };
}

t.test('a name is judged by the addresses that are connected to', async (t) => {
  const server = await httpServer(t, (_got, response) => json(response, { reached: true }));
  const url = `http://rebind.example:${server.port}/`;
  const at = (answers: string[][], rules = addressRules([])) =>
    httpDriver(
      t,
      { url, retries: 0 },
      { context: { addresses: rules, resolver: resolverOf(answers).resolver } },
    );
  failsWith(t, await at([['127.0.0.1']]).invoke(callOf({})), 'EACCES', /rebind\.example is at 127\.0\.0\.1/);
  failsWith(t, await at([['10.0.0.1', '169.254.169.254']]).invoke(callOf({})), 'EACCES');
  t.equal(server.connections(), 0);
  const only = resolverOf([['127.0.0.1'], ['10.0.0.1']]);
  const driver = httpDriver(
    t,
    { url },
    { context: { addresses: addressRules(['127.0.0.1']), resolver: only.resolver } },
  );
  t.same(resultOf(await driver.invoke(callOf({}))), { reached: true });
  t.equal(only.asked(), 1, 'the name is looked up once for a connection');
  t.same(
    resultOf(await at([['169.254.169.254', '127.0.0.1']], addressRules(['loopback'])).invoke(callOf({}))),
    { reached: true },
    'of several addresses those that are allowed are used',
  );
});

t.test(
  'redirects are not followed unless the manifest says so, and stay within the hosts named',
  async (t) => {
    const other = await httpServer(t, ({ url, headers, method }, response) =>
      json(response, { other: url, headers, method }),
    );
    const home = await httpServer(t, ({ url, headers, method, body }, response) => {
      const [, status, to = ''] = /^\/(\d+)\?([^&]*)/.exec(url) ?? [];
      if (status === undefined) {
        json(response, { home: url, headers, method, body: body.toString() });
        return;
      }
      response.writeHead(Number(status), { location: decodeURIComponent(to) }).end();
    });
    const ask = (to: string, more: object = {}, status = 302) =>
      httpDriver(t, {
        url: `${home.origin}/${status}`.concat(`?${encodeURIComponent(to)}`),
        redirects: 3,
        ...more,
      }).invoke(callOf({ a: 1 }));
    failsWith(
      t,
      await ask('/x', { redirects: 0 }),
      'EIO',
      /by a redirect \(302\) to \/x, which is not followed/,
    );
    t.match(resultOf(await ask('/x?y=1')), { home: '/x?y=1' });
    failsWith(t, await ask(`${other.origin}/x`), 'EIO', /which the manifest does not name/);
    failsWith(t, await ask('//evil.example/x'), 'EIO', /evil\.example, which the manifest does not name/);
    for (const to of ['file:///etc/passwd', 'javascript:1', `https://127.0.0.1:${home.port}/`])
      failsWith(t, await ask(to), 'EIO', /which the manifest does not name/);
    failsWith(t, await ask('http://[', {}), 'EIO', /no URL/);
    failsWith(
      t,
      await ask(`/302?${encodeURIComponent('/302?%2F302')}`, { redirects: 1 }),
      'EIO',
      /more than 1 times/,
    );
    t.equal(other.got.length, 0);
    const post = { method: 'POST', body: { json: '{payload}' } };
    t.match(resultOf(await ask('/x', post, 303)), { method: 'GET', body: '' });
    t.match(resultOf(await ask('/x', post, 307)), { method: 'POST', body: '{"a":1}' });

    process.env['HTTP_TEST_KEY'] = 'credential-xyz';
    t.teardown(() => delete process.env['HTTP_TEST_KEY']);
    const auth = [
      { type: 'bearer', token_env: 'HTTP_TEST_KEY' },
      { type: 'header', name: 'X-Key', value_env: 'HTTP_TEST_KEY' },
      { type: 'query', name: 'key', value_env: 'HTTP_TEST_KEY' },
      { type: 'cookie', name: 'session', value_env: 'HTTP_TEST_KEY' },
    ];
    const hosts = [`127.0.0.1:${other.port}`];
    t.match(resultOf(await ask(`${other.origin}/x`, { auth, hosts })), { other: '/x' });
    t.notMatch(JSON.stringify(other.got), /credential-xyz/, 'no credential goes to another host');
    failsWith(
      t,
      await ask(`${other.origin}/?k=credential-xyz`, { auth, hosts }),
      'EIO',
      /with a secret of this service/,
    );
    t.equal(other.got.length, 1);
    await ask('/same', { auth, hosts });
    const { url, headers } = home.got.at(-1)!;
    t.equal(url, '/same?key=credential-xyz');
    t.match(headers, {
      authorization: 'Bearer credential-xyz',
      'x-key': 'credential-xyz',
      cookie: 'session=credential-xyz',
    });
  },
);

t.test('a redirect to an address that is not allowed is refused when it is connected to', async (t) => {
  const inner = await httpServer(t, (_got, response) => json(response, { reached: true }));
  const home = await httpServer(t, (_got, response) =>
    response.writeHead(302, { location: `http://127.0.0.2:${inner.port}/` }).end(),
  );
  const runtime = { url: home.origin, redirects: 1, hosts: [`127.0.0.2:${inner.port}`] };
  const driver = httpDriver(t, runtime, { context: { addresses: addressRules(['127.0.0.1']) } });
  failsWith(t, await driver.invoke(callOf({})), 'EACCES', /127\.0\.0\.2 is not a public address/);
  t.equal(inner.connections(), 0);
});
