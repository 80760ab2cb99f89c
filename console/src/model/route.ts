import { Store } from './store.js';

/** The page that the address names: its parts behind `#/`. */
export const route = new Store<readonly string[]>(partsOf(location.hash));

function partsOf(hash: string): readonly string[] {
  if (!hash.startsWith('#/')) return [];
  return hash.slice(2).split('/').filter(Boolean).map(decoded);
}

/** A part that was not written by us is taken as it stands. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function hrefOf(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}

export function followAddress(): void {
  window.addEventListener('hashchange', () => route.set(partsOf(location.hash)));
}
