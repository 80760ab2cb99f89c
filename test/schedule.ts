/** The test files that take longest, as measured, in the order in which they are started: before all others. */
export const LONG_FIRST: readonly string[] = [
  ...[
    'console/accessible',
    'docs/docs',
    'mount/posix-export',
    'drivers/mcp',
    'replicas/chaos',
    'mcp-server/hostile',
  ],
  ...['services/kill', 'providers/export-suite', 'fuse/endurance', 'tunnel/hostile-peer', 'api/typedoc'],
  ...[
    'fuse/mount-hygiene',
    'attacks/mapped-users',
    'attacks/mute-node',
    'attacks/links',
    'planefs/permission-projection',
  ],
  ...['faults/kept-descriptors', 'planefs/kept-catalog', 'planefs/node-records', 'telemetry/otlp'],
  ...['replicas/failover', 'replicas/rolling', 'replicas/relay', 'cli/node-listen', 'mcp-server/conformance'],
  ...['mcp-server/stdio', 'drivers/mcp-http', 'cli/usage', 'attacks/listening-node', 'mount/supervision'],
  ...[
    'faults/processes',
    'fuse/vfs-bridge',
    'planefs/nodes-and-mounts',
    'mount/guides',
    'attacks/hidden-pushes',
  ],
  ...[
    'attacks/schemas',
    'attacks/denials',
    'attacks/silent-node',
    'attacks/export-groups',
    'attacks/mount-guests',
  ],
  ...['attacks/fuzz', 'attacks/audit-spool', 'attacks/export-set-id', 'services/invoking', 'api/bundle'],
  ...[
    'control/kill',
    'control/large-catalog',
    'control/fuzz',
    'cli/up',
    'cli/up-plane',
    'attacks/open-budgets',
  ],
  ...['cli/loading', 'services/jobs/keys', 'mount/bundled', 'mount/calls', 'services/calls'],
];

/** What `npm run test:endurance` runs for long, besides test/endurance: see `extent`. */
export const LONG: ReadonlySet<string> = new Set([
  'attacks/fuzz',
  'control/fuzz',
  'drivers/stress',
  'faults/processes',
  'faults/transport',
  'fuse/endurance',
  'fuse/forgetting',
  'mcp-server/hostile',
  'node/random-damage',
  'planefs/node-records',
  'services/jobs/keys-model',
  'services/kill',
  'services/stress',
]);
