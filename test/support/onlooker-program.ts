import * as fs from 'node:fs';
import { join } from 'node:path';
import { act, look, type Act, type Look } from './onlooker.js';

// Does what it is asked to in a mount, with system calls that wait, and keeps what it opened on the way.

/** So many files stay open. */
const MOST_HELD = 8;
const held: number[] = [];

export type Order = { readonly act: Act; readonly root: string } | { readonly look: Look };

/** The process that asked may be gone. */
const gone = (): void => undefined;

process.on('message', (order: Order) => {
  let answer: unknown = 'done';
  try {
    if ('act' in order) act(order.root, order.act);
    else answer = lookAround(order.look);
  } catch (thrown) {
    answer = `error: ${(thrown as NodeJS.ErrnoException).code ?? String(thrown)}`;
  }
  process.send!(answer, gone);
});
process.once('disconnect', () => {
  process.exit();
});

function lookAround(what: Look): unknown {
  const seen = look(what);
  if (what.hold === undefined) return seen;
  const path = join(what.paths[0]!, what.hold);
  try {
    if (fs.statSync(path).isDirectory()) process.chdir(path);
    else held.push(fs.openSync(path, 'r'));
  } catch {
    // there is nothing of that name: nothing to hold
  }
  while (held.length > MOST_HELD) fs.closeSync(held.shift()!);
  return seen;
}
