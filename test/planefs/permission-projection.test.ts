import { writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { mountDirFor } from '../support/mount-child.js';
import { Program, shell } from '../support/plane-processes.js';
import { PlaneWithNode, type Joined, type Who } from '../support/plane-with-node.js';
import type { RawClient } from '../support/raw-client.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

t.setTimeout(300_000);

const PERMISSIONS: Record<string, JsonObject> = {
  everyone: { allow_roles: ['admin', 'user'] },
  star: { allow_roles: '*' },
  admins: { allow_roles: ['admin'] },
  silent: {},
  byDefault: { default: 'allow' },
  proved: { allow_roles: ['user'], require_project_token: true },
  steered: { allow_roles: ['user'], actions: { control: { allow_roles: ['user'] } } },
  shown: { allow_roles: ['user'], actions: { invoke: { allow_roles: ['admin'] } } },
};
const SERVICES = Object.keys(PERMISSIONS);
const MANIFESTS = SERVICES.map((id) => shellManifest(id, 'cat', { permissions: PERMISSIONS[id] }));

const PROJECTS: Record<string, { policy?: JsonObject; token?: boolean }> = {
  plain: {},
  tokened: { token: true },
  denying: { policy: { actions: { invoke: 'deny' } } },
  seeing: { policy: { actions: { invoke: 'deny', observe: 'open' } } },
  agents: { policy: { actions: { invoke: 'open' }, agents: { a1: { invoke: 'deny' } } } },
  list: { policy: { invoke: 'deny', agents: [{ agent_id: 'a2', actions: { invoke: 'open' } }] } },
  frozen: { policy: { actions: { control: 'deny' } } },
  adminly: { policy: { actions: { invoke: 'admin' } } },
  mixed: { policy: { actions: { invoke: 'open' } }, token: true },
  broken: {},
};
/** What an earlier release took, and nobody can store any more. */
const BROKEN_POLICY: JsonObject = { actions: { invoke: 'perhaps' } };

interface Case {
  readonly role: 'admin' | 'user';
  readonly agent?: string;
  readonly project?: string;
  readonly proved?: boolean;
  /**
   * For each service, in the order above: `-` it is absent, `r` it can be seen, `x` invoked, `c` invoked and
   * controlled, `k` controlled alone. Written by hand from the rules; nothing here asks `decide`.
   */
  readonly sees: string;
}

const CASES: readonly Case[] = [
  { role: 'admin', sees: 'cccccccc' },
  { role: 'admin', project: 'denying', sees: 'cccccccc' },
  { role: 'user', sees: 'xx--x-c-' },
  { role: 'user', agent: 'a1', sees: 'xx--x-c-' },
  { role: 'user', project: 'plain', sees: 'xx--x-c-' },
  { role: 'user', project: 'tokened', sees: '--------' },
  { role: 'user', project: 'tokened', proved: true, sees: 'xx--xxc-' },
  { role: 'user', project: 'denying', sees: '--------' },
  { role: 'user', project: 'seeing', sees: 'rr--r-kr' },
  { role: 'user', agent: 'a1', project: 'agents', sees: '--------' },
  { role: 'user', agent: 'a2', project: 'agents', sees: 'xx--x-c-' },
  { role: 'user', project: 'agents', sees: 'xx--x-c-' },
  { role: 'user', agent: 'a1', project: 'list', sees: '--------' },
  { role: 'user', agent: 'a2', project: 'list', sees: 'xx--x-c-' },
  { role: 'user', project: 'frozen', sees: 'xx--x-x-' },
  { role: 'user', project: 'adminly', sees: '--------' },
  { role: 'user', project: 'mixed', sees: 'xx--x-x-' },
  { role: 'user', project: 'mixed', proved: true, sees: 'xx--xxc-' },
  { role: 'user', project: 'broken', sees: '--------' },
];

const titleOf = ({ role, agent, project, proved }: Case): string =>
  [role, agent, project, proved === true ? 'proved' : ''].filter(Boolean).join(' ');

/** What a session's files are, asked for by every name that there is. */
class Files {
  readonly #raw: RawClient;

  constructor(raw: RawClient) {
    this.#raw = raw;
  }

  /** The number of the node at a path, or the errno that hides it. */
  async find(path: string): Promise<{ node: unknown; perm: number; errno: number }> {
    const { payload, error } = await this.#raw.ask('t_fs_lookup', { node: 1 }, { path });
    return { node: payload?.['node'], perm: Number(payload?.['perm']), errno: Number(error?.['errno'] ?? 0) };
  }

  async names(path: string): Promise<string[]> {
    const { node, errno } = await this.find(path);
    if (errno !== 0) return [];
    const { payload } = await this.#raw.ask('t_fs_readdirp', { node }, { cookie: 0, count: 1000 });
    return (payload['entries'] as { name: string }[]).map(({ name }) => name);
  }

  /** A handle, or the errno that refuses it. */
  async open(path: string, mode: 'r' | 'w'): Promise<{ h: unknown; errno: number }> {
    const { node, errno } = await this.find(path);
    if (errno !== 0) return { h: undefined, errno };
    const { payload, error } = await this.#raw.ask('t_fs_open', { node }, { mode });
    return { h: payload?.['handle'], errno: Number(error?.['errno'] ?? 0) };
  }

  async text(path: string): Promise<string> {
    const { h, errno } = await this.open(path, 'r');
    return errno === 0 ? this.read(h) : '';
  }

  async read(h: unknown): Promise<string> {
    const { payload, error } = await this.#raw.ask('t_fs_read', { h }, { offset: 0, count: 1_000_000 });
    if (error !== undefined) throw Object.assign(new Error('refused'), { code: error['errno'] });
    return Buffer.from(payload['data_b64'] as string, 'base64').toString();
  }

  async write(h: unknown, text: string): Promise<number> {
    const data = Buffer.from(text).toString('base64');
    const { error } = await this.#raw.ask('t_fs_write', { h }, { offset: 0, data_b64: data });
    await this.#raw.ask('t_fs_close', { h });
    return Number(error?.['errno'] ?? 0);
  }
}

const ENOENT = 2;
const EACCES = 13;

async function createProjects(under: PlaneWithNode): Promise<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (const [id, { policy, token }] of Object.entries(PROJECTS)) {
    const { project_token: made } = await under.admin.request('project_create', {
      project_id: id,
      with_token: token === true,
      ...(policy === undefined ? {} : { access_policy: policy }),
    });
    if (made !== null) tokens.set(id, made);
  }
  Object.assign(under.plane.control.store.projects.get('broken')!, { accessPolicy: BROKEN_POLICY });
  return tokens;
}

const whoIs = (under: PlaneWithNode, one: Case, tokens: ReadonlyMap<string, string>): Who => ({
  token: under.token(one.role, one.agent ?? null),
  project: one.project,
  ...(one.proved === true ? { projectToken: tokens.get(one.project!)! } : {}),
});

for (const joined of ['here', 'through a tunnel'] satisfies Joined[]) {
  t.test(
    `[P] denied is absent by every name, to a client of the raw protocol; the node is ${joined}`,
    async (t) => {
      const under = await PlaneWithNode.start(t, joined, MANIFESTS);
      const tokens = await createProjects(under);
      for (const one of CASES) {
        const { control, files: raw } = await under.session(whoIs(under, one, tokens));
        const files = new Files(raw);
        const found: string[] = [];
        for (const id of SERVICES) found.push(await seenOf(files, id));
        t.equal(found.join(''), one.sees, titleOf(one));
        const visible = SERVICES.filter((_, at) => one.sees[at] !== '-').sort();
        const listed = (names: readonly string[]): string[] =>
          names.filter((name) => SERVICES.includes(name)).sort();
        t.strictSame(listed(await files.names('nodes/n1/services')), visible, 'readdir');
        t.strictSame(listed(await files.names('nodes/n1')), visible, 'derived roots');
        const index = (await files.text('nodes/n1/services/SERVICES.json')) || '[]';
        t.strictSame(
          (JSON.parse(index) as { service_id: string }[]).map(({ service_id: id }) => id).sort(),
          visible,
          'SERVICES.json',
        );
        const nodes = JSON.parse(await files.text('nodes/NODES.json')) as { node_id: string }[];
        t.strictSame(
          nodes.map(({ node_id: id }) => id),
          visible.length === 0 ? [] : ['n1'],
          'NODES.json',
        );
        const shown = JSON.stringify([
          await files.text('events.ndjson'),
          await control.request('node_list', {}),
          await control.request('metrics', {}),
          await control.request('node_service_get', { node_id: 'n1' }).catch(() => null),
          await files.text('nodes/n1/STATUS.json'),
        ]);
        for (const id of SERVICES.filter((id) => !visible.includes(id)))
          t.notMatch(shown, new RegExp(`"${id}\\\\*"`), `${titleOf(one)} is shown nothing of ${id}`);
        if (visible.length > 0) {
          const { nodes } = await control.request('node_list', {});
          t.match(nodes, [{ services: visible.length }]);
          const status = JSON.parse(await files.text('nodes/n1/STATUS.json')) as object;
          t.match(status, { services: { total: visible.length } });
        }
        raw.close();
        control.close();
      }
    },
  );
}

/** The letter of the table for what a session can do to one service. */
async function seenOf(files: Files, id: string): Promise<string> {
  const dir = `nodes/n1/services/${id}`;
  const places = [dir, `nodes/n1/${id}`, `${dir}/status.json`, `${dir}/control/invoke.json`, `${dir}/jobs`];
  const errnos = await Promise.all(places.map(async (path) => (await files.find(path)).errno));
  if (errnos.every((errno) => errno === ENOENT)) return '-';
  if (!errnos.every((errno) => errno === 0)) return `?${errnos.join(',')}`;
  const invoke = await files.open(`${dir}/control/invoke.json`, 'w');
  const invokes = invoke.errno === 0 && (await files.write(invoke.h, '{"n":1}')) === 0;
  const enable = await files.open(`${dir}/control/enable`, 'w');
  const config = await files.open(`${dir}/config.json`, 'r');
  const controls = enable.errno === 0;
  const { perm } = await files.find(`${dir}/control/invoke.json`);
  const refused = [invoke, enable, config].map(({ errno }) => errno).filter((errno) => errno !== 0);
  if (refused.some((errno) => errno !== EACCES)) return `?${refused.join(',')}`;
  if ((config.errno === 0) !== controls || ((perm & 0o222) !== 0) !== invokes) return '?modes';
  if (controls) return invokes ? 'c' : 'k';
  return invokes ? 'x' : 'r';
}

/** Prints the letters of the table; a process of its own, since the drivers are children of this one. */
const SEEN = `
letter() {
  dir=MOUNT/nodes/n1/services/$1
  if ! cat $dir/status.json; then
    test -e MOUNT/nodes/n1/$1 || echo '{}' > $dir/control/invoke.json || { printf -- - >&3; return; }
    printf '?' >&3
    return
  fi
  ls MOUNT/nodes/n1/$1 || printf '?' >&3
  invokes=; controls=
  echo '{}' > $dir/control/invoke.json && invokes=yes
  true > $dir/control/enable && controls=yes
  test -w $dir/control/invoke.json && test -z "$invokes" && printf '?' >&3
  cat $dir/config.json && test -z "$controls" && printf '?' >&3
  case $invokes,$controls in yes,yes) printf c ;; yes,) printf x ;; ,yes) printf k ;; *) printf r ;; esac >&3
}
exec 3>&1 >/dev/null 2>&1
for id in ${SERVICES.join(' ')}; do letter $id; done
echo >&3`;

/** Sessions that are mounted at a time. */
const MOUNTS_AT_ONCE = 4;

/** Mounts as `one` does, and compares with the table. */
async function seesThroughMount(t: Test, url: string, one: Case, who: Who): Promise<void> {
  const dir = temporaryDir(t);
  const mount = mountDirFor(t);
  const secret = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const program = new Program(t, [
    ...['mount', mount, '--control-url', url, '--token-file', secret('token', who.token)],
    ...['--state-dir', join(mount, '..', 'state')],
    ...(who.project === undefined ? [] : ['--project', who.project]),
    ...(who.projectToken === undefined
      ? []
      : ['--project-token-file', secret('project-token', who.projectToken)]),
  ]);
  await program.says(/Mounted on/);
  const { stdout } = await shell(SEEN.replaceAll('MOUNT', mount));
  t.equal(stdout, `${one.sees}\n`, titleOf(one));
  const listed = await readdir(join(mount, 'nodes/n1/services')).catch((): string[] => []);
  t.strictSame(
    listed.filter((name) => name !== 'SERVICES.json').sort(),
    SERVICES.filter((_, at) => one.sees[at] !== '-').sort(),
    `${titleOf(one)}: listed`,
  );
  await program.end('SIGTERM');
}

/** Whether two mount with the same options, and see the same. */
function looksLike(one: Case, other: Case): boolean {
  const of = ({ role, project, proved, sees }: Case): unknown[] => [
    role,
    project !== undefined,
    proved,
    sees,
  ];
  return isDeepStrictEqual(of(one), of(other));
}

t.test('[P] a mount shows the same', async (t) => {
  const under = await PlaneWithNode.start(t, 'through a tunnel', MANIFESTS);
  const tokens = await createProjects(under);
  // What differs is the session; the letters of each are proved above, without the cost of a mount.
  const left = CASES.filter((one, at) => CASES.findIndex((other) => looksLike(one, other)) === at);
  const mountNext = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift())
      await seesThroughMount(t, under.plane.url, one, whoIs(under, one, tokens));
  };
  await Promise.all(Array.from({ length: MOUNTS_AT_ONCE }, mountNext));
});

t.test("[P] no principal finds another's jobs, keys, results or errors", async (t) => {
  const under = await PlaneWithNode.start(t, 'through a tunnel', MANIFESTS);
  const session = async (agent: string): Promise<Files> =>
    new Files((await under.session({ token: under.token('user', agent) })).files);
  const [mine, theirs] = [await session('a1'), await session('a2')];
  const service = 'nodes/n1/services/everyone';
  const { h } = await mine.open(`${service}/control/invoke.json`, 'w');
  t.equal(await mine.write(h, '{"_key":"k1","secret":"of a1"}'), 0);
  const wrong = await mine.open(`${service}/control/invoke.json`, 'w');
  t.not(await mine.write(wrong.h, '{"secret":"of a1"} rubbish'), 0);
  const jobs = (await mine.names(`${service}/jobs`)).filter((name) => name !== 'latest' && name !== 'by-key');
  t.equal(jobs.length, 2);
  for (const id of [...jobs, 'latest', 'by-key/k1']) {
    for (const file of ['', '/request.json', '/status.json', '/result.json', '/stdout', '/cancel'])
      t.equal((await theirs.find(`${service}/jobs/${id}${file}`)).errno, ENOENT, `${id}${file}`);
  }
  t.strictSame(
    (await theirs.names(`${service}/jobs`)).filter((name) => name !== 'by-key'),
    [],
  );
  t.strictSame(await theirs.names(`${service}/jobs/by-key`), []);
  for (const file of ['result.json', 'status.json', 'last_error.txt'])
    t.notMatch(await theirs.text(`${service}/${file}`), /of a1|rubbish|ok/, file);
  t.match(await mine.text(`${service}/result.json`), /of a1/);
  const own = await theirs.open(`${service}/control/invoke.json`, 'w');
  t.equal(await theirs.write(own.h, '{"_key":"k1","another":"request"}'), 0, 'their key is their own');
  t.notMatch(await theirs.text('events.ndjson'), new RegExp(jobs.join('|')));
  const cancel = await theirs.open(`${service}/control/cancel`, 'w');
  t.equal(await theirs.write(cancel.h, jobs[0]!), ENOENT);
});

for (const joined of ['here', 'through a tunnel'] satisfies Joined[]) {
  t.test(
    `[P] what changes counts on the next operation of open descriptors; the node is ${joined}`,
    async (t) => {
      const under = await PlaneWithNode.start(t, joined, MANIFESTS);
      await under.admin.request('project_create', { project_id: 'p' });
      const service = 'nodes/n1/services/everyone';
      const begin = async (): Promise<{ files: Files; status: unknown; invoke: unknown; id: string }> => {
        const token = under.token('user', 'a1');
        const { files: raw, control } = await under.session({ token, project: 'p' });
        const files = new Files(raw);
        const { h: status } = await files.open(`${service}/status.json`, 'r');
        const { h: invoke } = await files.open(`${service}/control/invoke.json`, 'w');
        t.match(await files.read(status), /"state"/);
        const { record } = await control.request('auth_status', {});
        return { files, status, invoke, id: record.token_id };
      };
      const refuses = async (
        { files, status, invoke }: { files: Files; status: unknown; invoke: unknown },
        what: string,
      ): Promise<void> => {
        await t.rejects(files.read(status), { message: 'refused' }, `${what}: an open descriptor`);
        t.not(await files.write(invoke, '{}'), 0, `${what}: a descriptor open to write`);
        t.equal((await files.find(service)).errno === 0, false, `${what}: its name`);
      };
      const policy = await begin();
      await under.admin.request('project_update', {
        project_id: 'p',
        access_policy: { actions: { invoke: 'deny' } },
      });
      await refuses(policy, 'a policy that denies');
      await under.admin.request('project_update', { project_id: 'p', access_policy: null });
      t.equal((await policy.files.find(service)).errno, 0, 'and back');

      const named = await begin();
      await under.admin.request('project_create', { project_id: 'q', nodes: ['n1'] });
      await refuses(named, 'a node that another project names');
      await under.admin.request('project_update', { project_id: 'p', nodes: ['n1'] });
      t.equal((await named.files.find(service)).errno, 0, 'and ours too');
      t.strictSame(await named.files.names('projects'), ['p']);
      t.ok((await named.files.names('projects/p/services')).includes('everyone@n1'));
      t.notOk((await named.files.names('projects/p/services')).includes('admins@n1'));
      t.strictSame(await named.files.names('projects/p/nodes'), ['n1']);
      t.equal((await named.files.find('projects/q')).errno, ENOENT);

      const revoked = await begin();
      await under.admin.request('token_revoke', { token_id: revoked.id });
      await refuses(revoked, 'a token that is revoked');
      const { nodes } = under.plane.control.store;
      nodes.join({ nodeName: 'n2', platform: null, labels: {}, fsUrl: null }, null);
      t.ok(nodes.get('n2'), 'a node comes while a revoked session is still connected');

      const deleted = await begin();
      await under.admin.request('project_delete', { project_id: 'p' });
      await refuses(deleted, 'a project that is deleted');
    },
  );
}

t.test('the node in the process of the control plane cannot be deleted while it runs', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', MANIFESTS);
  await t.rejects(under.admin.request('node_delete', { node_id: 'n1' }), { code: 'EBUSY' });
  t.match(await under.admin.request('node_get', { node_id: 'n1' }), { state: 'online' });
});

t.test('a token attaches to its own projects alone; another is not found', async (t) => {
  const under = await PlaneWithNode.start(t, 'here', MANIFESTS);
  for (const id of ['ours', 'theirs']) await under.admin.request('project_create', { project_id: id });
  const { token } = await under.admin.request('token_create', { role: 'user', projects: ['ours'] });
  const client = under.client({ token });
  await client.ready();
  for (const id of ['theirs', 'none'])
    await t.rejects(client.request('session_attach', { project_id: id }), { code: 'ENOENT' }, id);
  t.match(await client.request('session_status', {}), { project_id: 'ours' });
  const { records } = await under.admin.request('audit_tail', { limit: 2 });
  t.match(
    records,
    ['theirs', 'none'].map((id) => ({
      act: 'session_attach',
      outcome: 'denied',
      target: { project_id: id },
    })),
    'and each try is on record',
  );
  t.match(await client.request('project_list', {}), { projects: [{ project_id: 'ours' }] });
});
