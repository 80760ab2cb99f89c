import { homedir } from 'node:os';
import { join } from 'node:path';

const OF_THE_MACHINE = '/var/lib/acheron';

/**
 * The default place of state: `$XDG_STATE_HOME/acheron`; for root `/var/lib/acheron`. A user whose home is in there is
 * the service itself, which has its state in its home.
 */
export function defaultStateDir(env: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return OF_THE_MACHINE;
  const home = homedir();
  if (home.startsWith(`${OF_THE_MACHINE}/`)) return home;
  const base = env.XDG_STATE_HOME;
  return join(base !== undefined && base.startsWith('/') ? base : join(home, '.local', 'state'), 'acheron');
}
