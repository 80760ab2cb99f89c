import t from 'tap';
import { acheron } from '../support/acheron.js';

t.test('an invite on the command line is refused and not repeated', async (t) => {
  const invite = 'acheron_invite_abc';
  for (const words of [['--invite-token', invite], [`--invite-token=${invite}`]]) {
    const { status, stdout, stderr } = await acheron(['node', '--control-url', 'ws://127.0.0.1:1', ...words]);
    t.equal(status, 2);
    t.match(stderr, /ACHERON_INVITE_TOKEN, or name a file with --invite-token-file/);
    t.notOk((stdout + stderr).includes(invite));
  }
});
