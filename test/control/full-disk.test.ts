import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ControlClient, faultOf, startControlPlane } from '../../lib/control/index.js';
import { temporaryDir } from '../support/store.js';

const skip = process.getuid?.() === 0 ? false : 'only root can mount a small file system';

t.test(
  'on a full disk a plane says which place is full, takes back what was half done, and lets an admin remove',
  { skip },
  async (t) => {
    const disk = temporaryDir(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=700', 'acheron-test', disk]);
    t.teardown(() => execFileSync('umount', ['-l', disk]));
    const stateDir = join(disk, 'state');
    const ballast = join(disk, 'ballast');
    const start = (): ReturnType<typeof startControlPlane> =>
      startControlPlane({ stateDir, port: 0, limits: { sweepEveryMs: 20 } });
    const adminOf = async (url: string): Promise<ControlClient> => {
      const token = readFileSync(join(stateDir, 'admin.token'), 'utf8').trim();
      const client = new ControlClient({ url, token, minDelayMs: 10, maxDelayMs: 50 }).start();
      t.teardown(() => client.close());
      await client.ready();
      return client;
    };
    let plane = await start();
    t.teardown(() => plane.close());
    let admin = await adminOf(plane.url);
    await admin.request('project_create', { project_id: 'kept' });
    const { record: doomed } = await admin.request('token_create', { role: 'user' });

    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    await admin.request('token_revoke', { token_id: doomed.token_id });
    let refusal = '';
    let made = 0;
    for (; made < 3000 && refusal === ''; made++)
      await admin.request('project_create', { project_id: `p${made}` }).catch((thrown: unknown) => {
        refusal = String(thrown);
      });
    t.ok(refusal.includes(stateDir), `it names the place: ${refusal}`);
    t.match(refusal, /full/);
    const before = await countProjects(admin);
    t.equal(before, made, 'one that was refused is not there, all others are');

    const stranger = new ControlClient({ url: plane.url, minDelayMs: 10, maxDelayMs: 50 }).start();
    t.teardown(() => stranger.close());
    // What was written of a project before the disk was full may do for what is smaller, a few times.
    const ask = async (): Promise<void> => {
      for (let n = 0; n < 8; n++)
        await stranger.request('node_join_request', {
          node_name: `n${n}`,
          platform: { padding: 'p'.repeat(1_500) },
        });
    };
    for (const [what, act] of Object.entries({
      'an invite': () => admin.request('node_invite_create', {}),
      'a token': () => admin.request('token_create', { role: 'user' }),
      'a request to pair': ask,
    }))
      t.equal(await codeOf(act), 'no_space', `${what} is refused for the disk alone`);
    t.equal((await admin.request('token_list', {})).tokens.length, 3, 'no token was made');

    rmSync(ballast);
    await admin.request('project_create', { project_id: 'later' });
    await plane.close();
    plane = await start();
    admin = await adminOf(plane.url);
    t.equal(await countProjects(admin), made + 1, 'and so it is after a restart');
    const { tokens } = await admin.request('token_list', {});
    const found = tokens.find(({ token_id }) => token_id === doomed.token_id);
    t.ok((found?.revoked_at_ms ?? null) !== null, 'the token that was revoked stays so');
  },
);

async function codeOf(act: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (thrown) {
    return faultOf(thrown)?.code;
  }
}

async function countProjects(admin: ControlClient): Promise<number> {
  let count = 0;
  for (let after: string | undefined; ;) {
    const page = await admin.request('project_list', after === undefined ? {} : { after });
    count += page.projects.length;
    if (page.next === undefined) return count;
    after = page.next;
  }
}
