import t from 'tap';
import { PlaneCommands } from './plane-commands.js';

t.test('an invite is printed once and listed by its prefix alone', async (t) => {
  const plane = await PlaneCommands.start(t);
  const made = await plane.run(['invite', 'create', '--ttl', '15m']);
  t.match(made, { status: 0, stdout: /^acheron_invite_\S+\n$/, stderr: /--invite-token-file FILE/ });
  const invites = await plane.json<{ prefix: string; created_at_ms: number; expires_at_ms: number }[]>(
    'invite',
    'list',
  );
  t.equal(invites.length, 1);
  t.equal(invites[0]!.expires_at_ms - invites[0]!.created_at_ms, 15 * 60_000);
  t.ok(made.stdout.startsWith(invites[0]!.prefix));
  t.notMatch(JSON.stringify(invites), made.stdout.trim());
});

t.test('a machine is approved by the code that it shows, never by an id alone', async (t) => {
  const plane = await PlaneCommands.start(t);
  const asks = plane.under.client(undefined);
  await asks.ready();
  const lab = await asks.request('node_join_request', { node_name: 'lab', labels: { note: 'a\u001b]0;x' } });
  const other = await asks.request('node_join_request', { node_name: 'other' });
  const listed = await plane.run(['pair', 'list']);
  t.match(listed.stdout, new RegExp(`^${lab.verification_code} +${lab.request_id} +lab +127`, 'm'));
  t.match(listed.stdout, /note=a\\x1b\]0;x/);
  t.match(await plane.run(['pair', 'approve', lab.request_id]), {
    status: 1,
    stderr: /does not say which machine asks/,
  });
  t.match(await plane.run(['pair', 'approve', lab.request_id, '--code', other.verification_code]), {
    status: 1,
    stderr: /The code of this request is/,
  });
  t.match(await plane.run(['pair', 'approve', 'none']), { status: 1, stderr: /No request that waits/ });
  t.match(await plane.run(['pair', 'approve', lab.verification_code.toLowerCase()]), {
    status: 0,
    stdout: /^lab at 127\S+ may become a node\.\n$/,
  });
  t.match(await plane.run(['pair', 'deny', other.request_id]), { status: 0 });
  t.same(await plane.json('pair', 'list'), []);
  const { request_id, request_secret } = lab;
  t.match(await asks.request('node_join', { request_id, request_secret }), { state: 'joined' });
  t.match(await plane.run(['nodes', 'list']), { stdout: /^lab +/m });
  t.match(await plane.run(['nodes', 'delete', 'lab']), { status: 0 });
  t.same(await plane.json('nodes', 'list'), []);
});
