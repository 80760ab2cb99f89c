import { ControlLink } from '../wire/control.js';
import { FilesLink } from '../wire/files.js';
import { RecentCalls } from './calls.js';
import { Catalog } from './catalog.js';
import { Store } from './store.js';

/** What a page has while it is signed in. Its secret is in here, in memory, and nowhere else. */
export interface Session {
  readonly control: ControlLink;
  readonly files: FilesLink;
  readonly catalog: Catalog;
  readonly calls: RecentCalls;
}

export const session = new Store<Session | null>(null);

export function beginSession(secret: string): void {
  const control = new ControlLink(secret);
  const files = new FilesLink(secret);
  session.set({ control, files, catalog: new Catalog(control), calls: new RecentCalls(control) });
  control.start();
  files.start();
  // One session: where the one link learns that it has ended, the other need not ask.
  control.state.on(() => {
    if (control.state.value === 'ended') files.end();
  });
}

/** Ends the session at the server as well. */
export async function signOut({ control }: Session): Promise<void> {
  await control.request('session_close', {}).catch(() => undefined);
  control.end();
}
