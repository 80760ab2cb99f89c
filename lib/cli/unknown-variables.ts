import type { Command } from 'commander';
import { nearest } from '../core/index.js';
import { writeError } from './write-out.js';

/** All commands with all their options: what a key may mean. Loading them takes a while. */
export type AllCommands = () => Promise<Command>;

/** Ours, and no options: what drivers get, what a start in the background passes to its child, the token, where the Python client looks. */
const OTHERS = /^ACHERON_(CALL_.*|PROCESS_TAG|BACKGROUND_LOG|TOKEN|CONFIG|COMPLETION_MS|MOUNT)$/;

/**
 * Warns of variables that look like settings and are none, as a slip in a name changes nothing otherwise. It is no
 * error: programs around us may have variables of such names too.
 */
export async function warnOfUnknownVariables(command: Command, all: AllCommands): Promise<void> {
  const own = variablesOf(command);
  const foreign = Object.keys(process.env).filter(
    (name) => name.startsWith('ACHERON_') && !own.has(name) && !OTHERS.test(name),
  );
  if (foreign.length === 0) return;
  const known = variablesOf(await all());
  for (const name of foreign.filter((one) => !known.has(one))) {
    const near = nearest(name, known);
    writeError(
      `warning: ${name} is no setting of acheron and does nothing.${near === undefined ? '' : ` Did you mean ${near}?`}\n`,
    );
  }
}

function variablesOf(command: Command): Set<string> {
  const own = command.options.flatMap(({ envVar }) => envVar ?? []);
  return new Set([...own, ...command.commands.flatMap((sub) => [...variablesOf(sub)])]);
}
