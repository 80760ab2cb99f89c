/**
 * The tree that a mount shows at `/`: nodes, projects, events, the session's own file. It knows nodes
 * as directories that somebody else serves, here or at the far end of a tunnel.
 */
export { actionsAmong, offersOf, type ActionsOfService } from './actions-among.js';
export * from './event-feed.js';
export { findJob } from './find-job.js';
export { findNode } from './find-node.js';
export { findService } from './find-service.js';
export {
  followProgress,
  followStatus,
  followStream,
  jobWhenThere,
  type ShownProgress,
} from './follow-job.js';
export type { IndexedService } from './index-tsv.js';
export { AGENTS } from './guides.js';
export * from './link-rule.js';
export * from './nodes-dir.js';
export { Subtree } from './subtree.js';
export {
  READ,
  READ_WRITE,
  WRITE,
  openFile,
  readBytes,
  readFrom,
  readJson,
  readRest,
  readText,
  targetOf,
  writeAll,
  writeFile,
  type SeenTree,
} from './tree-files.js';
export * from './world.js';
