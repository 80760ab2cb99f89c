import { FsError } from '../../core/index.js';

/** The files of `/nodes`, in lower case: to a reader, a node of that name would be taken for one of them. */
const RESERVED_NAMES = new Set(['nodes.json', 'index.tsv', 'readme.md', 'agents.md']);

/** @throws FsError EINVAL */
export function refuseReservedName(nodeName: string): void {
  if (!RESERVED_NAMES.has(nodeName.toLowerCase())) return;
  throw new FsError(
    'EINVAL',
    `A node cannot be named ${JSON.stringify(nodeName)}: a file in /nodes has that name.`,
    {
      hint: 'Give it another name with --node-name.',
    },
  );
}
