import t from 'tap';
import { supportsAll, vfsSuite } from '../suites/vfs-suite.js';
import { directAccess } from '../support/direct-access.js';
import { createReferenceTree } from '../support/reference-tree.js';
import { tunnelled, type TunnelOptions } from '../support/tunnelled.js';

const ways: [string, TunnelOptions][] = [
  ['a tree through an in-memory tunnel', { through: 'memory' }],
  ['a tree through a WebSocket, in binary frames', { through: 'ws' }],
  ['a tree through a WebSocket, in JSON alone', { through: 'ws', binary: false }],
];

for (const [name, options] of ways) {
  vfsSuite(
    t,
    name,
    async (t) => directAccess((await tunnelled(t, createReferenceTree(), options)).remote),
    supportsAll,
  );
}
