import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acheron } from '../support/acheron.js';
import { temporaryDir } from '../support/test-node.js';

t.test('an invite on the command line is refused and not repeated', async (t) => {
  const invite = 'acheron_invite_abc';
  for (const words of [['--invite-token', invite], [`--invite-token=${invite}`]]) {
    const { status, stdout, stderr } = await acheron(['node', '--control-url', 'ws://127.0.0.1:1', ...words]);
    t.equal(status, 2);
    t.match(stderr, /ACHERON_INVITE_TOKEN, or name a file with --invite-token-file/);
    t.notOk((stdout + stderr).includes(invite));
  }
});

t.test(
  'a secret that other accounts may read is refused, with what to do, and nothing is sent',
  async (t) => {
    const file = join(temporaryDir(t), 'secret');
    const nowhere = ['--control-url', 'ws://127.0.0.1:1'];
    const commands: Record<string, string[]> = {
      'a token of a command': ['nodes', 'list', ...nowhere, '--token-file', file],
      'a token of the tree': ['ls', '/', ...nowhere, '--token-file', file],
      'a token of a project': ['ls', '/', ...nowhere, '--project', 'p', '--project-token-file', file],
      'an invite': ['node', ...nowhere, '--pair-mode', 'invite', '--invite-token-file', file],
      'the key of a certificate': ['control', '--tls-cert', file, '--tls-key', file, '--port', '0'],
    };
    const env = { ACHERON_STATE_DIR: join(temporaryDir(t), 'state') };
    for (const [at, [what, words]] of Object.entries(commands).entries()) {
      for (const mode of at === 0 ? [0o644, 0o604, 0o620] : [0o644]) {
        writeFileSync(file, 'acheron_secret_abc\n');
        chmodSync(file, mode);
        const withToken = what === 'a token of a project' ? { ...env, ACHERON_TOKEN: 'x' } : env;
        const { status, stdout, stderr } = await acheron(words, { env: withToken });
        t.equal(status, 1, what);
        t.match(stderr, /is open to other accounts .*\(mode 06[024][04]\).*chmod g/s);
        t.notOk((stdout + stderr).includes('acheron_secret_abc'));
      }
    }
    chmodSync(file, 0o600);
    const { stderr } = await acheron(commands['a token of a command']!, { env });
    t.match(stderr, /is not available/, 'one of ours alone is taken');
    chmodSync(file, 0o644);
    const managed = { ...env, CREDENTIALS_DIRECTORY: join(file, '..') };
    t.match((await acheron(commands['a token of a command']!, { env: managed })).stderr, /is not available/);
  },
);

t.test('a variable that is no setting is reported, with the name that was meant', async (t) => {
  const env = {
    ACHERON_CONTROL_ULR: 'ws://127.0.0.1:1',
    ACHERON_CALL_ROLE: 'user',
    ACHERON_STATE_DIR: '/nowhere',
  };
  const { stderr } = await acheron(['validate', '/nowhere'], { env });
  t.match(stderr, /^warning: ACHERON_CONTROL_ULR is no setting .* Did you mean ACHERON_CONTROL_URL\?$/m);
  t.equal(stderr.match(/warning:/g)?.length, 1, 'and nothing else is');
});
