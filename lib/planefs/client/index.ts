/**
 * What a mount keeps of a control plane's catalog, to show descriptors while the control plane is away. A part
 * with an index of its own, since a mount need load nothing else of the room.
 */
export type { CatalogFollower } from './catalog-follower.js';
export { KeptDescriptors } from './kept-descriptors.js';
