import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FileNode } from '../../lib/vfs/index.js';
import { exported } from '../providers/support/exported.js';
import { codeOf } from '../support/access.js';
import { op, READ, WRITE } from '../support/ops.js';
import { tunnelled } from '../support/tunnelled.js';

t.test(
  'a file that goes between being found and being opened is ESTALE, on which the kernel walks again, and makes it',
  async (t) => {
    const [vfs, path] = await exported(t);
    const { remote } = await tunnelled(t, vfs, { through: 'memory' });
    for (const flags of [READ, WRITE]) {
      writeFileSync(join(path, 'file'), 'text');
      const file = (await remote.root.lookup('file', op())) as FileNode;
      unlinkSync(join(path, 'file'));
      t.equal(await codeOf((async () => file.open(flags, op()))()), 'ESTALE');
      t.equal(
        await codeOf((async () => remote.root.lookup('file', op()))()),
        'ENOENT',
        'it is gone by its name',
      );
    }
    writeFileSync(join(path, 'file'), 'text');
    const file = (await remote.root.lookup('file', op())) as FileNode;
    unlinkSync(join(path, 'file'));
    mkdirSync(join(path, 'file'));
    t.equal(await codeOf((async () => file.open(READ, op()))()), 'ESTALE');
    t.equal((await remote.root.lookup('file', op())).kind, 'dir', 'by its name it is what it is now');
  },
);
