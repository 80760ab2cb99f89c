import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/store.js';
import { PlaneCommands } from './plane-commands.js';

interface Token {
  readonly token_id: string;
  readonly role: string;
  readonly revoked_at_ms: number | null;
}

t.test('token create prints the secret alone, once; list never does; revoke ends it', async (t) => {
  const plane = await PlaneCommands.start(t);
  const made = await plane.run(['token', 'create', '--agent', 'claude', '--project', 'web', '--label', 'x']);
  t.match(made, {
    status: 0,
    stdout: /^acheron_user_\S+\n$/,
    stderr: /of role user; it is not shown again/,
  });
  const secret = made.stdout.trim();
  const listed = await plane.run(['token', 'list']);
  t.match(listed.stdout, /^TOKEN +ROLE +AGENT +PROJECTS +STATE +MADE +LABEL$/m);
  t.match(listed.stdout, / user +claude +web +good +20\S+ +x$/m);
  t.notOk(listed.stdout.includes(secret.slice(-30)));
  const tokens = await plane.json<Token[]>('token', 'list');
  const { token_id } = tokens.find(({ role, revoked_at_ms }) => role === 'user' && revoked_at_ms === null)!;
  const mine = tokens.at(-1)!;
  t.match(mine, { agent_id: 'claude', projects: ['web'] });
  t.match(await plane.run(['nodes', 'list'], { ACHERON_TOKEN: secret }), { status: 0 });
  t.match(await plane.run(['token', 'revoke', mine.token_id]), { status: 0, stdout: /is revoked\.\n$/ });
  const refused = await plane.run(['nodes', 'list'], { ACHERON_TOKEN: secret });
  t.match(refused, {
    status: 1,
    stdout: '',
    stderr: /does not take this token.*\(EACCES\)\nThe token is from ACHERON_TOKEN\./,
  });
  t.notOk(refused.stderr.includes(secret));
  const rotated = await plane.run(['token', 'rotate', token_id]);
  t.equal(rotated.stdout.trim(), plane.under.token('user'), 'the file of the first start has it');
});

t.test('a token comes from --token-file, then ACHERON_TOKEN, then the state directory', async (t) => {
  const plane = await PlaneCommands.start(t);
  const file = join(temporaryDir(t), 'user.token');
  writeFileSync(file, `${plane.under.token('user')}\n`, { mode: 0o600 });
  const whoMay = async (args: string[], env: NodeJS.ProcessEnv = {}): Promise<number | null> =>
    (await plane.run(['token', 'list', ...args], env)).status;
  t.equal(await whoMay([]), 0);
  t.equal(await whoMay(['--token-file', file]), 1);
  t.equal(await whoMay([], { ACHERON_TOKEN_FILE: file }), 1);
  const admin = plane.under.token('admin');
  t.equal(await whoMay([], { ACHERON_TOKEN_FILE: file, ACHERON_TOKEN: admin }), 0);
  t.equal(await whoMay(['--token-file', file], { ACHERON_TOKEN: admin }), 1);
  const { stderr } = await plane.run(['token', 'list', '--token-file', file]);
  t.match(stderr, /Only admins may send this.*\nThe token \(.*user\.token\) is a user's\./);
});

t.test('a control plane that is not there, and a token that is not there, say what to do', async (t) => {
  const empty = temporaryDir(t);
  const none = await acheron(['nodes', 'list', '--state-dir', empty]);
  t.match(none, {
    status: 1,
    stderr: /There is no token: .*admin\.token does not exist\. \(EACCES\)\n.*--token-file/,
  });
  const down = await acheron(['nodes', 'list', '--control-url', 'ws://127.0.0.1:1'], {
    env: { ACHERON_TOKEN: 'x' },
  });
  t.match(down, {
    status: 1,
    stderr: /127\.0\.0\.1:1 is not available\..*\(EHOSTDOWN\)\nStart it with `acheron control`/,
  });
  t.match(await acheron(['nodes', 'list', '--token-file', join(empty, 'none')]), {
    status: 1,
    stderr: /cannot be read/,
  });
});
