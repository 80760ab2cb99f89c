import { ControlLink } from '../wire/control.js';
import { RecentCalls } from './calls.js';
import { Catalog } from './catalog.js';
import { Store } from './store.js';

/** What a page has while it is signed in. Its secret is in here, in memory, and nowhere else. */
export interface Session {
  readonly control: ControlLink;
  readonly catalog: Catalog;
  readonly calls: RecentCalls;
}

export const session = new Store<Session | null>(null);

export function beginSession(secret: string): void {
  const control = new ControlLink(secret);
  session.set({ control, catalog: new Catalog(control), calls: new RecentCalls(control) });
  control.start();
}

/** Ends the session at the server as well. */
export async function signOut({ control }: Session): Promise<void> {
  await control.request('session_close', {}).catch(() => undefined);
  control.end();
}
