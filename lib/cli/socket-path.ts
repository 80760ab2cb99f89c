import { join } from 'node:path';

/** Where a running `up` or `node` serves its tree to the commands of the same user. */
export const socketPath = (stateDir: string): string => join(stateDir, 'acheron.sock');
