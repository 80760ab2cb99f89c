import { createExport } from '../../lib/providers/index.js';
import { Document, MapDir, type Node, type Vfs } from '../../lib/vfs/index.js';

/** The real directory `path` as `/work`, where the suite for what can be changed looks for it. */
export async function createExportTree(path: string): Promise<Vfs> {
  const inner = await createExport({ name: 'work', path, readOnly: false, forbidden: [] });
  const readme = { bytes: Buffer.from('# A tree\n'), mtimeNs: 1n };
  const entries = new Map<string, Node>([
    ['work', inner.root],
    ['README.md', new Document(() => readme)],
  ]);
  return {
    root: new MapDir(entries),
    changes: inner.changes,
    close: () => inner.close(),
  };
}
