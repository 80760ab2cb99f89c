import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Session } from '../../lib/policy/index.js';
import { ADMIN, TestNode, USER, shellManifest, temporaryDir } from '../support/test-node.js';

const controlled = { allow_roles: ['admin', 'user'], actions: { control: { allow_roles: ['user'] } } };

t.test('session.json says what the mode bits say, not what might be elsewhere', async (t) => {
  const may = async (node: TestNode, session: Session) => (await node.json('/session.json', session)).may;
  const called = await TestNode.start(t, [shellManifest('tool', 'cat')]);
  t.same(await may(called, USER), ['observe', 'invoke', 'mount'], 'there is nothing to read or write');
  t.same(await may(called, ADMIN), ['observe', 'invoke', 'control', 'mount', 'admin']);
  t.same(await may(called, { ...ADMIN, revoked: true }), []);

  const files = { service_id: 'notes', kind: 'notes', permissions: controlled };
  const steered = await TestNode.start(t, [files]);
  t.same(await may(steered, USER), ['observe', 'control', 'mount'], 'and nothing to invoke');

  const path = join(temporaryDir(t), 'shown');
  mkdirSync(path);
  for (const readOnly of [true, false]) {
    const node = await TestNode.start(t, [], { exports: [{ name: 'shown', path, readOnly }] });
    t.same(
      await may(node, USER),
      readOnly ? ['observe', 'read', 'mount'] : ['observe', 'read', 'write', 'mount'],
    );
  }
});
