import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  makeAuthority,
  makeServerCertificate,
  type Certified,
} from '../../lib/cli/auto-tls/make-certificates.js';
import type { Finding } from '../../lib/doctor/index.js';
import { NOBODY_UID, needsRoot, runInNamespace } from '../attacks/fixtures/local-account.js';
import { PROGRAM, acheron } from '../support/acheron.js';
import { freePort } from '../support/free-port.js';
import { temporaryDir } from '../support/test-node.js';

const stateOf = (findings: readonly Finding[], check: string): string | undefined =>
  findings.find((finding) => finding.check === check)?.state;

const DAY_MS = 24 * 60 * 60 * 1000;

const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('acheron-doctor-'));

t.test('doctor tries both bindings for real, and leaves nothing', async (t) => {
  const before = left();
  const { stdout } = await acheron(['doctor', '--json', '--state-dir', join(temporaryDir(t), 'state')]);
  const findings = JSON.parse(stdout) as Finding[];
  t.equal(stateOf(findings, 'binding-kernel'), 'fine', stdout);
  t.equal(stateOf(findings, 'mounting'), 'fine');
  t.same(
    left().filter((name) => !before.includes(name)),
    [],
  );
});

t.test(
  'to whom /dev/fuse is closed, doctor says that they cannot mount, and how to mend it',
  needsRoot,
  async (t) => {
    // Somebody else's mount, in a folder that nobody else may look into.
    const folder = temporaryDir(t);
    const script = `chmod 600 /dev/fuse
    unset NODE_OPTIONS
    chmod 700 '${folder}'
    '${process.execPath}' '${PROGRAM}' up '${folder}/mnt' --no-control --background --state-dir '${folder}/state' >&2 ||
      exit 9
    as ${NOBODY_UID} "$@"`;
    const args = [process.execPath, PROGRAM, 'doctor', '--json', '--state-dir', '/nonexistent/state'];
    const { stdout, stderr, status } = await runInNamespace(script, args);
    t.equal(status, 1, stderr);
    const findings = JSON.parse(stdout) as Finding[];
    t.equal(stateOf(findings, 'binding-kernel'), 'note');
    t.equal(stateOf(findings, 'mounting'), 'broken');
    t.match(stdout, /\/mnt is mounted by another user/);
    t.match(stdout, /chmod 666 \/dev\/fuse/);
  },
);

t.test(
  'doctor names each fault of a machine with its remedy, and does not hang on a mount whose server hangs',
  needsRoot,
  async (t) => {
    const dir = temporaryDir(t);
    const now = Date.now();
    const authority = await makeAuthority('of a test', now - 100 * DAY_MS);
    const certified = (daysAgo: number): Promise<Certified> =>
      makeServerCertificate(authority, ['127.0.0.1'], now - daysAgo * DAY_MS);
    const [expired, ending] = await Promise.all([certified(91), certified(85)]);
    const file = (name: string, text: string, mode = 0o600): string => {
      writeFileSync(join(dir, name), text, { mode });
      return join(dir, name);
    };
    const plane = createHttps(ending, (_request, response) => {
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString());
      response.end('ready\n');
    }).listen(0, '127.0.0.1');
    t.teardown(() => plane.close());
    await once(plane, 'listening');
    const url = `wss://127.0.0.1:${(plane.address() as AddressInfo).port}`;
    const port = await freePort();
    const script = `mkdir '${dir}/full' && mount -t tmpfs -o size=2m tmpfs '${dir}/full' && mkdir -m 700 '${dir}/full/state'
    dd if=/dev/zero of='${dir}/full/zeros' bs=64k 2>/dev/null || true
    unset NODE_OPTIONS
    '${process.execPath}' '${PROGRAM}' up '${dir}/mnt' --no-control --background --state-dir '${dir}/state' >&2 || exit 9
    server=$(sed -n "s#.* ${dir}/mnt .* acheron:[a-z]*:[0-9a-f]*:\\([0-9]*\\) .*#\\1#p" /proc/self/mountinfo)
    kill -STOP "$server"
    '${process.execPath}' -e 'require("net").createServer().listen(${port}, "127.0.0.1", () => console.error("listens"))' 2>'${dir}/listens' &
    until [ -s '${dir}/listens' ]; do sleep 0.05; done
    status=0; "$@" || status=$?
    kill -KILL "$server"
    exit $status`;
    const { stdout, stderr, status } = await runInNamespace(script, [
      ...[
        process.execPath,
        PROGRAM,
        'doctor',
        '--json',
        '--state-dir',
        join(dir, 'full/state'),
        '--port',
        String(port),
      ],
      ...['--tls-cert', file('expired.crt', expired.cert), '--tls-key', file('open.key', expired.key, 0o644)],
      ...['--token-file', file('token', 'secret\n', 0o640)],
      ...['--tls-ca', file('ca.crt', authority.cert), '--control-url', url],
      ...['--store', 'postgres://acheron@127.0.0.1:9/acheron'],
    ]);
    t.equal(status, 1, stderr);
    const findings = JSON.parse(stdout) as Finding[];
    const found = (check: string, state: Finding['state'], what: RegExp, remedy: RegExp): void => {
      const fits = findings.some(
        (one) =>
          one.check === check && one.state === state && what.test(one.what) && remedy.test(one.remedy ?? ''),
      );
      t.ok(fits, check, { found: findings.filter((one) => one.check === check) });
    };
    found('disk', 'broken', /The disk of .*full\/state has 0 MiB/, /Make room/);
    found(
      'mount',
      'broken',
      /mnt is mounted, but its server, acheron up \S+mnt \(process \d+, since 20.*\), does not answer/,
      /^acheron unmount .*mnt$/,
    );
    found('port', 'note', new RegExp(`Port ${port} is taken by node \\(process \\d+, since`), /--port/);
    found('certificate', 'broken', /expired\.crt ended at/, /renewed/);
    found('certificate', 'note', new RegExp(`of ${url} ends in 5 days`), /--tls-auto/);
    found('secrets', 'broken', /open\.key is open to other accounts/, /chmod/);
    t.notOk(
      findings.some(({ what }) => what.includes(join(dir, 'token'))),
      "a group may read root's token",
    );
    found('clocks', 'broken', /This clock is 3[56]\d\d s behind that of wss/, /timedatectl/);
    found('store', 'broken', /The store .*127\.0\.0\.1:9.* cannot be used/, /./);
    t.ok(
      findings.every(({ state, remedy }) => state === 'fine' || remedy !== null || state === 'note'),
      'what is broken has a remedy',
    );
  },
);
