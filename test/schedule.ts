/** The test files that take longest, in the order in which they are started: before all others. */
export const LONG_FIRST: readonly string[] = [
  ...['services/kill', 'mount/posix-export', 'planefs/permission-projection', 'docs/docs', 'cli/up'],
  ...['mount/guides', 'faults/processes', 'attacks/mute-node', 'attacks/mapped-users', 'services/jobs/keys'],
  ...['fuse/vfs-bridge', 'attacks/schemas', 'faults/kept-descriptors', 'attacks/hidden-pushes'],
  ...['planefs/node-records', 'cli/up-plane', 'planefs/nodes-and-mounts', 'mount/calls', 'control/fuzz'],
  ...['control/large-catalog', 'cli/token', 'mount/bundled', 'attacks/silent-node', 'fuse/endurance'],
  ...[
    'mount/supervision',
    'planefs/kept-catalog',
    'control/kill',
    'tunnel/hostile-peer',
    'services/invoking',
  ],
  ...['providers/export-suite', 'cli/usage', 'cli/node-listen', 'fuse/mount-hygiene', 'services/calls'],
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
