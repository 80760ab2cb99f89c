import { FsError } from '../core/index.js';

/** What a bridge calls before it answers a readlink: `names` is the link's own path. */
export type LinkRule = (names: readonly string[], target: string) => void;

/** What lies in it belongs to one service or export; the first names of a path that are its place. */
interface Area {
  readonly depth: number;
  readonly what: 'export' | 'service' | 'tree';
}

/** Whose area a path of the tree is in. The control plane's own links may lead anywhere in the tree. */
function areaOf([top, , place]: readonly string[]): Area {
  if (top !== 'nodes') return { depth: 0, what: 'tree' };
  if (place === 'fs') return { depth: 4, what: 'export' };
  return { depth: place === 'services' || place === 'terminal' ? 4 : 3, what: 'service' };
}

/**
 * Whether who follows the link `names` stays in its area, whatever else is a link there. It may go up first,
 * and then down: what goes up after it went down may have gone down through a link to elsewhere.
 */
function staysWithin(depth: number, names: readonly string[], target: string): boolean {
  if (target.startsWith('/')) return false;
  const steps = target.split('/').filter((step) => step !== '' && step !== '.');
  const firstDown = steps.findIndex((step) => step !== '..');
  const up = firstDown === -1 ? steps.length : firstDown;
  return !steps.includes('..', up) && names.length - 1 - up >= depth;
}

/**
 * The reader of a tree follows its links with its own rights: one that leads out of its service directory or its
 * export is not followed. `followOutside`: those of exports are, as the reader said that they may.
 * @throws FsError EACCES
 */
export function linkRule(options: { readonly followOutside?: boolean } = {}): LinkRule {
  return (names, target) => {
    const { depth, what } = areaOf(names);
    if (staysWithin(depth, names, target) || (what === 'export' && options.followOutside === true)) return;
    if (what !== 'export')
      throw new FsError('EACCES', 'This link leads out of its service directory: it is not followed.');
    throw new FsError('EACCES', 'This link leads out of its export: it is not followed.', {
      hint: 'To follow such links with your own rights, mount with --follow-outside-links.',
    });
  };
}

/** The same for a node's own directory, of which `names` is a path: of exports, who reads them decides. */
export function nodeLinkRule(nodeId: string): LinkRule {
  const rule = linkRule({ followOutside: true });
  return (names, target) => rule(['nodes', nodeId, ...names], target);
}
