import { builtinDefinition, type ServiceDefinition } from '../../manifest/index.js';

/** What the definition says of an export. Where it lies on the host is the node's own affair. */
export interface ExportFacts {
  readonly name: string;
  readonly readOnly: boolean;
}

/** The service `fs`: the exported directories of a node. There is nothing to invoke. */
export function fsServiceDefinition(nodeId: string, exports: readonly ExportFacts[]): ServiceDefinition {
  const shown = [...exports]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, readOnly }) => ({ name, path: `/nodes/${nodeId}/fs/${name}`, read_only: readOnly }));
  return builtinDefinition(
    {
      service_id: 'fs',
      kind: 'fs',
      endpoints: ['/nodes/{node_id}/fs'],
      mounts: [{ mount_id: 'fs', mount_path: '/nodes/{node_id}/fs' }],
      capabilities: { invoke: false, read: true, write: shown.some((one) => !one.read_only), exports: shown },
      ops: { model: 'namespace', style: 'plan9' },
      permissions: { allow_roles: ['admin', 'user'] },
      schema: {},
      invoke_template: {},
      help_md: helpMd(shown),
    },
    { nodeId, name: 'fs' },
  );
}

function helpMd(shown: readonly { path: string; read_only: boolean }[]): string {
  const list = shown.map(({ path, read_only }) => `- \`${path}\`${read_only ? ' (read-only)' : ''}`);
  return `Directories of this node, as ordinary files.

${list.length === 0 ? 'Nothing is exported at present.' : list.join('\n')}

Symbolic links are shown as they are and followed by the program that reads them, in its own tree. Sockets, pipes
and devices can be seen but not opened. Whether a session may write is seen from the mode bits.
`;
}
