import { join } from 'node:path';
import t from 'tap';
import { PlaneCommands } from '../cli/plane-commands.js';

t.test('the admin token of this machine goes to no other, whatever address is given', async (t) => {
  const plane = await PlaneCommands.start(t);
  for (const url of [
    'ws://plane.invalid:18790',
    'wss://plane.invalid',
    'ws://192.0.2.1:1',
    'ws://127.0.0.1.evil.invalid',
  ])
    t.match(await plane.run(['token', 'list', '--control-url', url]), {
      status: 1,
      stderr: /is not sent to .*--token-file/s,
    });
  const named = ['--token-file', join(plane.under.stateDir, 'admin.token')];
  t.match(
    (await plane.run(['token', 'list', '--control-url', 'ws://plane.invalid:1', ...named])).stderr,
    /is not there|No connection/,
    'a token that is named goes where it is sent',
  );
  t.match(await plane.run(['token', 'list']), { status: 0 }, 'and here it serves as before');
});

t.test('a wrong bearer on a page is answered 401, later each time', async (t) => {
  const plane = await PlaneCommands.start(t);
  const url = plane.under.url.replace('ws:', 'http:');
  const answers = await Promise.all(
    ['/metrics', '/metrics.json'].map((path) =>
      fetch(`${url}${path}`, { headers: { authorization: 'Bearer acheron_admin_000000000000_x' } }),
    ),
  );
  for (const answer of answers) {
    t.equal(answer.status, 401);
    t.equal(await answer.text(), 'The token is not valid.\n');
  }
});
