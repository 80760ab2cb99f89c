import { Command } from 'commander';
import { timestamp } from '../../core/index.js';
import { walk, type DirEntry, type Stat } from '../../vfs/index.js';
import { findNode } from '../../worldfs/index.js';
import { jsonOption } from '../options.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';
import { wrapped } from '../wrapped.js';
import { writeOut } from '../write-out.js';

type LsFlags = AccessFlags & { readonly json?: boolean; readonly long?: boolean };

interface Listed {
  readonly name: string;
  readonly stat: Stat;
}

export function lsCommand(): Command {
  const command = new Command('ls')
    .description('List a directory of the tree, without a mount.')
    .argument('[path]', 'a path of the tree', '/')
    .option('-l, --long', 'show mode, size and time')
    .addOption(jsonOption());
  return addAccessOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ acheron ls /nodes/local/services\n  $ acheron ls -l /nodes/local/services/echo --json',
    )
    .action((path: string, flags: LsFlags) => ls(path, flags));
}

async function ls(path: string, flags: LsFlags): Promise<void> {
  const tree = await openTree(flags);
  try {
    const op = tree.op();
    const node = await findNode(tree.root, path, op);
    const entries: DirEntry[] =
      node.kind === 'dir'
        ? [...(await node.list(op))]
        : [{ name: path, ino: node.ino, kind: node.kind, node }];
    const listed: Listed[] = [];
    for (const entry of entries) {
      const found = entry.node ?? (await walk(tree.root, `${path}/${entry.name}`, op));
      listed.push({ name: entry.name, stat: await found.stat(op) });
    }
    listed.sort((a, b) => (a.name < b.name ? -1 : 1));
    const lines =
      flags.json === true
        ? [JSON.stringify(listed.map(documentOf), null, 2)]
        : listed.map((one) => lineOf(one, flags.long === true));
    await writeOut(lines.length === 0 ? '' : `${lines.join('\n')}\n`);
  } finally {
    await tree.close();
  }
}

function documentOf({ name, stat }: Listed): object {
  return {
    name,
    kind: stat.kind,
    size: stat.size,
    mode: stat.mode.toString(8).padStart(4, '0'),
    modified_at: timestamp(Number(stat.mtimeNs / 1_000_000n)),
  };
}

const SUFFIX = { dir: '/', file: '', symlink: '@' };
const LETTER = { dir: 'd', file: '-', symlink: 'l' };

function lineOf({ name, stat }: Listed, long: boolean): string {
  if (!long) return `${name}${SUFFIX[stat.kind]}`;
  const bits = 'rwxrwxrwx'
    .split('')
    .map((letter, place) => ((stat.mode >> (8 - place)) & 1 ? letter : '-'))
    .join('');
  const time = timestamp(Number(stat.mtimeNs / 1_000_000n));
  return wrapped(
    `${LETTER[stat.kind]}${bits} ${String(stat.size).padStart(9)} ${time} ${name}${SUFFIX[stat.kind]}`,
    2,
  );
}
