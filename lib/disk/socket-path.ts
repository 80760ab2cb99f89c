import { join, resolve } from 'node:path';

/** The state of a node that names no file for it. */
export const stateFileIn = (stateDir: string): string => resolve(stateDir, 'node.json');

/**
 * Where a running `up` or `node` serves its tree to the commands of the same user. It belongs to the state of one
 * node, whose lock says that nobody else uses it: nodes of one state directory have each their own.
 */
export function socketPath(stateDir: string, stateFile = stateFileIn(stateDir)): string {
  return stateFile === stateFileIn(stateDir) ? join(stateDir, 'acheron.sock') : `${stateFile}.sock`;
}
