import { createHash } from 'node:crypto';

/** A name for what serves `path`, fit for a file, which no other path has: `mount-srv-plane-1f3a9c`. */
export function daemonName(command: string, path?: string): string {
  if (path === undefined) return command;
  const words = path.replace(/[^A-Za-z0-9._]+/g, '-').replace(/^-|-$/g, '');
  return `${command}-${words.slice(-60)}-${createHash('sha256').update(path).digest('hex').slice(0, 6)}`;
}
