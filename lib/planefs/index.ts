/**
 * The control plane's own files: the trees of its nodes, online or as the catalog knows them, and what admins
 * write and read at the root: projects, pairing, the audit log.
 */
export { controlDir } from './control-dir.js';
export { joinLocally, type LocalMember, type Membership } from './local-member.js';
export { PlaneEvents } from './plane-events.js';
export { PlaneNodes } from './plane-nodes.js';
export { ProjectsDir } from './projects-dir.js';
