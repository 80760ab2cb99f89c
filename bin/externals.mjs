// What the joined program (bundle.mjs) takes from node_modules as it runs: native code, and what chooses files of its own.
export const EXTERNAL = ['koffi', 'libsql', 'postgres', 'prom-client'];

/** The same, where they are installed: the program goes on without. */
export const OPTIONAL_EXTERNAL = ['bufferutil', 'fuse-native'];

/** What modules load by `require` when they first need it, as it is slow to load or to join. */
export const REQUIRED = ['ajv', 'ajv-formats', 'ws'];
