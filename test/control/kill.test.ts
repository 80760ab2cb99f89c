import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { ControlClient, ControlStore, NodeLink, type CatalogEvent } from '../../lib/control/index.js';

import { descriptor, temporaryDir } from '../support/store.js';
import { until } from '../support/until.js';

const CHILD = join(import.meta.dirname, 'fixtures', 'control-child.js');

async function startChild(stateDir: string, port: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CHILD, stateDir, port], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, url };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

t.test(
  '[P] kill -9 at any instant loses nothing that was acknowledged, and no event is lost or doubled',
  async (t) => {
    const stateDir = temporaryDir(t);
    const first = await startChild(stateDir, '0');
    let { child } = first;
    const { url } = first;
    const port = new URL(url).port;
    t.teardown(() => kill(child));
    const token = readFileSync(join(stateDir, 'admin.token'), 'utf8').trim();
    const admin = new ControlClient({ url, token, minDelayMs: 5, maxDelayMs: 30 }).start();
    t.teardown(() => admin.close());
    const events: CatalogEvent[] = [];
    await admin.ready();
    const { invite_token } = await admin.request('node_invite_create', {});
    admin.watch({ sinceRevision: 0, onEvent: (event) => events.push(event) });
    let version = 0;
    let acknowledgedVersion = 0;
    const link = new NodeLink({
      url,
      stateFile: join(temporaryDir(t), 'node.json'),
      nodeName: 'n1',
      platform: null,
      labels: {},
      pair: { mode: 'invite', token: invite_token },
      minDelayMs: 5,
      maxDelayMs: 30,
      snapshot: () => ({ services: [descriptor('echo', { version: String(version) })] }),
    });
    t.teardown(() => link.close());
    link.registered.on(({ changed, updated, added }) => {
      if (changed) acknowledgedVersion = Number([...updated, ...added][0]!.version);
    });
    await link.start();
    const projects: string[] = [];
    const tokens: string[] = [];
    let running = true;
    const load = (async () => {
      for (let n = 0; running; n++) {
        version++;
        link.changed();
        try {
          await admin.request('project_create', { project_id: `p${n}` });
          projects.push(`p${n}`);
          tokens.push((await admin.request('token_create', { role: 'user' })).token);
        } catch {
          // It was not acknowledged: whether it happened is open, and nothing is promised.
        }
      }
    })();
    for (let round = 0; round < 4; round++) {
      const enough = projects.length + 1 + 7 * round;
      await until(() => projects.length >= enough, 'some acknowledged changes');
      await kill(child);
      ({ child } = await startChild(stateDir, port));
    }
    running = false;
    await load;
    await until(() => acknowledgedVersion === version && link.isConnected, 'the last upsert');
    const { projects: found } = await admin.request('project_list', {});
    const names = new Set(found.map(({ project_id }) => project_id));
    t.same(
      projects.filter((name) => !names.has(name)),
      [],
      `${projects.length} acknowledged projects are there`,
    );
    const { revision } = await admin.request('node_service_watch', {});
    await until(() => events.at(-1)?.revision === revision, 'the last event');
    t.same(
      events.map((event) => event.revision),
      events.map((_, n) => n + 1),
      'every revision once, in order',
    );
    await kill(child);
    const store = new ControlStore({ stateDir });
    t.teardown(() => store.close());
    t.same(
      tokens.filter((text) => store.tokens.verify(text) === undefined),
      [],
      `${tokens.length} acknowledged tokens are good`,
    );
    t.equal(store.nodes.get('n1')?.services.get('echo')?.version, String(version));
    t.ok(
      store.audit.tail(10_000).length >= projects.length + tokens.length,
      'and each act is in the audit log',
    );
  },
);
