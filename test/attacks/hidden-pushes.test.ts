import { chmodSync, mkdirSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PlaneWithNode, type Joined } from '../support/plane-with-node.js';
import type { RawClient, RawFrame } from '../support/raw-client.js';
import { shellManifest, temporaryDir, type TestNode } from '../support/test-node.js';
import { until } from '../support/until.js';

const SERVICES = 'nodes/n1/services';
const SECRET = `${SERVICES}/secret`;
const OF_SERVICE = ['', '/README.md', '/status.json', '/jobs', '/control/invoke.json'].map(
  (file) => `${SECRET}${file}`,
);
const EXPORT = 'nodes/n1/fs/x';
const FILE = `${EXPORT}/file`;
// Through the place that its mount derives, too.
const TOOL = { mounts: [{ mount_id: 'tool', mount_path: '/nodes/n1/tool' }] };

const OF_NODE = [...OF_SERVICE, 'nodes/n1/tool', 'nodes/n1', 'nodes/n1/fs', EXPORT, FILE];
const DENIED = { actions: { invoke: 'deny', observe: 'deny' } };

async function rewrite({ manifests, node }: TestNode, id: string, more: object): Promise<void> {
  await writeFile(join(manifests, `${id}.json`), JSON.stringify({ ...shellManifest(id, 'cat'), ...more }));
  await node.registry.reload();
}

interface Rule {
  readonly hides: readonly string[];
  /** The same by their names among the exports. */
  readonly exports: readonly string[];
  hide(under: PlaneWithNode): Promise<unknown>;
  show(under: PlaneWithNode): Promise<unknown>;
  /** What the manifest says while it is hidden. */
  readonly manifest: object;
}

const RULES: Readonly<Record<string, Rule>> = {
  'its permissions': {
    hides: [...OF_SERVICE, 'nodes/n1/tool'],
    exports: ['n1/secret'],
    hide: ({ node }) => rewrite(node, 'secret', { ...TOOL, permissions: {} }),
    show: ({ node }) => rewrite(node, 'secret', TOOL),
    manifest: { ...TOOL, permissions: {} },
  },
  "the policy of the session's project": {
    hides: OF_NODE,
    exports: ['n1/secret', 'n1/fs/x'],
    hide: ({ admin }) => admin.request('project_update', { project_id: 'mine', access_policy: DENIED }),
    show: ({ admin }) => admin.request('project_update', { project_id: 'mine', access_policy: {} }),
    manifest: TOOL,
  },
  'a project that names the node': {
    hides: OF_NODE,
    exports: ['n1/secret', 'n1/fs/x'],
    hide: ({ admin, plane }) => {
      const nodes = { project_id: 'other', nodes: ['n1'] };
      const isMade = plane.control.store.projects.get('other') !== undefined;
      return admin.request(isMade ? 'project_update' : 'project_create', nodes);
    },
    show: ({ admin }) => admin.request('project_update', { project_id: 'other', nodes: [] }),
    manifest: TOOL,
  },
};

const find = (files: RawClient, path: string): Promise<RawFrame> =>
  files.ask('t_fs_lookup', { node: 1 }, { path });

async function userOf(under: PlaneWithNode): Promise<RawClient> {
  return (await under.session({ token: under.token('user'), project: 'mine' })).files;
}

/** What a session has looked up and opened. */
class Held {
  readonly numbers: number[] = [];
  readonly handles: number[] = [];

  /** By their paths. */
  static async of(files: RawClient, { hides }: Rule): Promise<Held> {
    const held = new Held();
    for (const path of hides) {
      const { node, kind } = (await find(files, path)).payload as { node: number; kind: string };
      held.numbers.push(node);
      if (kind !== 'file') continue;
      const { handle } = (await files.ask('t_fs_open', { node }, { mode: 'r' })).payload;
      if (typeof handle === 'number') held.handles.push(handle);
    }
    return held;
  }

  /** Without a path that leads there, and what is in them. */
  static async ofExports(files: RawClient, { exports }: Rule): Promise<Held> {
    const held = new Held();
    const all = (await files.ask('t_fs_exports')).payload['exports'] as { name: string; root: number }[];
    for (const { root } of all.filter(({ name }) => exports.includes(name))) {
      held.numbers.push(root);
      const { entries } = (await files.ask('t_fs_readdirp', { node: root }, { plus: true })).payload;
      held.numbers.push(...(entries as { node: number }[]).map(({ node }) => node));
    }
    return held;
  }

  /** Whatever may be asked of it by those who have it. Answers what was answered. */
  async askAll(files: RawClient): Promise<string[]> {
    const answered: string[] = [];
    const ask = async (what: string, root: object, payload?: object): Promise<void> => {
      if ((await files.ask(`t_fs_${what}`, root, payload)).ok === true)
        answered.push(`${what} ${JSON.stringify(root)}`);
    };
    for (const node of this.numbers) {
      await ask('getattr', { node });
      await ask('open', { node }, { mode: 'r' });
      await ask('readdirp', { node }, { plus: true });
      await ask('lookup', { node }, { name: 'status.json' });
    }
    for (const h of this.handles) {
      await ask('getattr', { h });
      await ask('read', { h }, { offset: 0, count: 10 });
    }
    return answered;
  }

  isAmong({ payload }: RawFrame): boolean {
    return this.numbers.some((number) => number === payload['node'] || number === payload['dir']);
  }
}

/** A node with a service and an export that are hidden and shown, and the sessions that watch them. */
class Scene {
  readonly under: PlaneWithNode;
  readonly user: RawClient;
  readonly admin: RawClient;
  readonly #exported: string;
  #changes = 0;

  private constructor(under: PlaneWithNode, user: RawClient, admin: RawClient, exported: string) {
    this.under = under;
    this.user = user;
    this.admin = admin;
    this.#exported = exported;
  }

  static async set(t: Test, joined: Joined): Promise<Scene> {
    const path = join(temporaryDir(t), 'exported');
    mkdirSync(path);
    chmodSync(join(path, '..'), 0o711);
    await writeFile(join(path, 'file'), 'x\n');
    const manifests = [shellManifest('secret', 'cat', TOOL), shellManifest('other', 'cat')];
    const exports = [{ name: 'x', path, readOnly: false }];
    const under = await PlaneWithNode.start(t, joined, manifests, 'admin', { exports });
    await under.admin.request('project_create', { project_id: 'mine', nodes: [] });
    const user = await userOf(under);
    const admin = (await under.session({ token: under.token('admin') })).files;
    await until(async () => (await find(user, FILE)).ok === true, 'the tunnel');
    return new Scene(under, user, admin, path);
  }

  /** Changes something, and ends once `files` has heard of what it knows as `path`. */
  async hears(files: RawClient, path: string, change: () => Promise<unknown>): Promise<void> {
    const { node } = (await find(files, path)).payload;
    const before = files.pushed.length;
    await change();
    await until(
      () => files.pushed.slice(before).some(({ payload }) => payload['node'] === node),
      `news of ${path}`,
    );
  }

  changeService(id: string, more: object): Promise<void> {
    return rewrite(this.under.node, id, { ...more, help_md: `changed ${++this.#changes} times` });
  }

  changeFile(): Promise<void> {
    return appendFile(join(this.#exported, 'file'), 'x\n');
  }

  /** Ends once admins have heard of each. */
  async changeAll(more: object): Promise<void> {
    await this.hears(this.admin, SECRET, () => this.changeService('secret', more));
    await this.hears(this.admin, FILE, () => this.changeFile());
  }

  async untilSeen(isSeen: boolean): Promise<void> {
    await until(async () => ((await find(this.user, SECRET)).ok === true) === isSeen, `seen: ${isSeen}`);
  }
}

for (const joined of ['here', 'through a tunnel'] satisfies Joined[]) {
  for (const [how, rule] of Object.entries(RULES)) {
    t.test(`of what ${how} hid, a user who holds it hears nothing more, of a node ${joined}`, async (t) => {
      const scene = await Scene.set(t, joined);
      const { under, user } = scene;
      const byExports = await userOf(under);
      const holders = [
        { files: user, hold: () => Held.of(user, rule) },
        { files: byExports, hold: () => Held.ofExports(byExports, rule) },
      ];
      const held = new Map<RawClient, Held>();
      for (const { files, hold } of holders) held.set(files, await hold());
      await scene.changeAll(TOOL);
      for (const { files, hold } of holders) {
        const { numbers } = held.get(files)!;
        t.ok(numbers.length > 3 && numbers.every((number) => typeof number === 'number'));
        await files.ask('t_fs_getattr', { node: 1 });
        t.ok(
          files.pushed.some((frame) => held.get(files)!.isAmong(frame)),
          'before that, they did',
        );
        await hold();
      }
      await rule.hide(under);
      await scene.untilSeen(false);
      // The change that hid it is reported once.
      const before = new Map<RawClient, number>();
      for (const { files } of holders) {
        await files.ask('t_fs_getattr', { node: 1 });
        before.set(files, files.pushed.length);
      }
      for (let n = 0; n < 3; n++) {
        for (const { files } of holders) t.same(await held.get(files)!.askAll(files), []);
        await scene.changeAll(rule.manifest);
      }
      for (const { files } of holders) {
        // An answer that comes after them all: what was pushed before has come.
        await files.ask('t_fs_getattr', { node: 1 });
        const heard = files.pushed.slice(before.get(files));
        t.same(
          heard.filter((frame) => held.get(files)!.isAmong(frame)),
          [],
        );
        t.notMatch(JSON.stringify(heard), /secret/);
      }
    });

    t.test(
      `nothing is lost of what a user sees, before and after ${how} hid it, of a node ${joined}`,
      async (t) => {
        const scene = await Scene.set(t, joined);
        const { under, user } = scene;
        const other = (): Promise<void> => scene.changeService('other', {});
        for (let n = 0; n < 3; n++) {
          await scene.hears(user, SECRET, () => scene.changeService('secret', TOOL));
          await scene.hears(user, FILE, () => scene.changeFile());
          await scene.hears(user, `${SERVICES}/other`, other);
          await rule.hide(under);
          await scene.untilSeen(false);
          await scene.changeAll(rule.manifest);
          if (!rule.hides.includes('nodes/n1')) {
            await scene.hears(user, `${SERVICES}/other`, other);
            await scene.hears(user, FILE, () => scene.changeFile());
          }
          await rule.show(under);
          await scene.untilSeen(true);
        }
        t.pass('all was heard of');
      },
    );
  }
}
