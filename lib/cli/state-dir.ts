import { homedir } from 'node:os';
import { join } from 'node:path';

/** The default place of state: `$XDG_STATE_HOME/acheron`; for root `/var/lib/acheron`. */
export function defaultStateDir(env: NodeJS.ProcessEnv = process.env): string {
  if (process.getuid?.() === 0) return '/var/lib/acheron';
  const base = env.XDG_STATE_HOME;
  return join(
    base !== undefined && base.startsWith('/') ? base : join(homedir(), '.local', 'state'),
    'acheron',
  );
}
