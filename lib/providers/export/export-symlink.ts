import { readlinkSync } from 'node:fs';
import { textFromBytes } from '../../linux/index.js';
import type { Awaitable, Op, SymlinkNode } from '../../vfs/index.js';
import { ExportNode } from './export-node.js';
import { pathIn } from './host-tree.js';

/** A symlink of the host, shown as it is. It is never followed on this side. */
export class ExportSymlink extends ExportNode implements SymlinkNode {
  readonly kind = 'symlink';

  readlink(op: Op): Awaitable<string> {
    return this.state.tree.run(op, () =>
      this.atPlace((dirFd, name) => textFromBytes(readlinkSync(pathIn(dirFd, name), 'buffer'))),
    );
  }
}
