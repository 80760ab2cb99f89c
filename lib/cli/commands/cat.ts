import { Command } from 'commander';
import { READ, openFile, readFrom } from '../../worldfs/index.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';
import { writeOut } from '../write-out.js';

export function catCommand(): Command {
  const command = new Command('cat')
    .description('Print files of the tree, without a mount.')
    .argument('<path...>', 'paths of the tree');
  return addAccessOptions(command)
    .addHelpText('after', '\nExample:\n  $ acheron cat /nodes/local/services/echo/README.md')
    .action((paths: string[], flags: AccessFlags) => cat(paths, flags));
}

async function cat(paths: readonly string[], flags: AccessFlags): Promise<void> {
  const tree = await openTree(flags);
  try {
    for (const path of paths) {
      const handle = await openFile(tree, path, READ);
      for await (const bytes of readFrom(handle, tree.op())) await writeOut(bytes);
      await handle.release();
    }
  } finally {
    await tree.close();
  }
}
