import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlStore } from '../../lib/control/index.js';
import { temporaryDir } from '../support/store.js';

const TOKENS = ['admin.token', 'user.token'];

/** A state directory as a start left it, with a database of many pages. */
function stateFor(t: Test): { stateDir: string; db: string; tokens: () => string[] } {
  const stateDir = temporaryDir(t);
  const store = new ControlStore({ stateDir });
  for (let n = 0; n < 200; n++)
    store.tokens.create({ role: 'user', agentId: `agent-${n}`, label: 'x'.repeat(100) });
  store.close();
  const tokens = (): string[] => TOKENS.map((name) => readFileSync(join(stateDir, name), 'utf8'));
  return { stateDir, db: join(stateDir, 'control.db'), tokens };
}

/** The start is refused, says which file it is and what to do, and leaves everything as it is. */
function refused(t: Test, { stateDir, db, tokens }: ReturnType<typeof stateFor>, message: RegExp): void {
  const before = { tokens: tokens(), db: existsSync(db) ? readFileSync(db) : null };
  t.throws(() => new ControlStore({ stateDir }), {
    code: 'EIO',
    message,
    hint: /[Rr]estore .* move .*admin\.token.*Nothing was changed/,
  });
  t.same({ tokens: tokens(), db: existsSync(db) ? readFileSync(db) : null }, before, 'nothing changed');
}

t.test(
  'a control plane whose database is gone, but whose tokens are there, does not start anew',
  async (t) => {
    const state = stateFor(t);
    rmSync(state.db);
    refused(t, state, /control\.db is missing, but admin\.token and user\.token/);
  },
);

t.test('one whose database is empty does not either', async (t) => {
  const state = stateFor(t);
  truncateSync(state.db, 0);
  refused(t, state, /control\.db is empty, but admin\.token/);
});

t.test('a database that is cut by a hundredth is not served', async (t) => {
  const state = stateFor(t);
  const bytes = readFileSync(state.db);
  truncateSync(state.db, Math.floor(bytes.length * 0.99));
  refused(t, state, /control\.db is damaged/);
});

t.test('garbage is not taken for a later release', async (t) => {
  const state = stateFor(t);
  writeFileSync(state.db, Buffer.alloc(200_000, 0xab));
  refused(t, state, /control\.db is damaged: it is not a database/);
});

t.test('a page that was overwritten is found at the start', async (t) => {
  const state = stateFor(t);
  const bytes = readFileSync(state.db);
  bytes.fill(0x5a, bytes.length - 4096);
  writeFileSync(state.db, bytes);
  refused(t, state, /control\.db is damaged/);
});

t.test('a lock file with bytes in it locks as well as an empty one', (t) => {
  const state = stateFor(t);
  writeFileSync(`${state.db}.lock`, Buffer.alloc(5000, 0xab));
  const store = new ControlStore({ stateDir: state.stateDir });
  t.teardown(() => store.close());
  t.throws(() => new ControlStore({ stateDir: state.stateDir }), { code: 'EBUSY' });
  t.end();
});

t.test('a state directory with neither database nor tokens is a first start', async (t) => {
  const stateDir = temporaryDir(t);
  writeFileSync(join(stateDir, 'control.db'), '');
  const store = new ControlStore({ stateDir });
  t.teardown(() => store.close());
  t.equal(store.tokens.list().length, 2);
});
