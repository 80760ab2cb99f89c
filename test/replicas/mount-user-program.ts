import { constants } from 'node:fs';
import { open, readFile, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../support/random.js';
import type { FromUser, MountUse } from './mount-user.js';

// Calls services and reads exports through a mount, as its parent says, until told to end.

const TRIES = 5;
const FIND_AT_ONCE = 8;
/** The node or all control planes cannot be reached, or did not answer in time. */
const AWAY = new Set(['EHOSTDOWN', 'ETIMEDOUT']);
const AGAIN_MS = 300;
const BLOCK = 4096;
/** Each file that is open is read so often. */
const READ_EVERY_MS = 150;
/** When all is well again, what is asked for is there within this time. */
const HEALED_MS = 60_000;
const END_WITHIN_MS = 180_000;

const say = (message: FromUser): void => void process.send?.(message);
const count = (what: string): void => say({ type: 'count', what });

/** What is done with the mount at this moment, and since when. */
const pending = new Map<symbol, { readonly what: string; readonly sinceMs: number }>();
let isOver = false;
const acknowledged = new Map<string, string>();
const faults: string[] = [];
let working: Promise<unknown> = Promise.resolve();

process.on('message', (message: MountUse | 'end') => {
  if (message === 'end') void end();
  else working = work(message);
});
process.on('disconnect', () => process.exit());

async function work({ dir, nodes, name, seed }: MountUse): Promise<void> {
  const random = new Random(seed);
  await Promise.all([
    call({ dir, nodes, name: `${name}a` }, random),
    call({ dir, nodes, name: `${name}b` }, random),
    ...nodes.map((node) => readOn(join(dir, 'nodes', node, 'fs/box/words'), random)),
  ]);
  const left = [...acknowledged];
  await Promise.all(
    Array.from({ length: FIND_AT_ONCE }, async () => {
      for (let one = left.pop(); one !== undefined; one = left.pop()) await find(...one);
    }),
  );
}

async function end(): Promise<void> {
  isOver = true;
  const done = working.then(() => true).catch((thrown: unknown) => faults.push(String(thrown)));
  const isDone = await Promise.race([done, delay(END_WITHIN_MS, false)]);
  if (isDone === false)
    for (const { what, sinceMs } of pending.values())
      faults.push(`${what} was not answered in ${Math.round((performance.now() - sinceMs) / 1000)} s.`);
  say({ type: 'ended', acknowledged: [...acknowledged.keys()], faults });
}

/** One call after the other, each by a key of its own; one whose outcome is not known is asked for again by it. */
async function call({ dir, nodes, name }: Omit<MountUse, 'seed'>, random: Random): Promise<void> {
  for (let n = 0; !isOver; n++) {
    const run = `${name}-${n}`;
    const service = join(dir, 'nodes', random.of(nodes), 'services/note');
    for (let tries = 0; tries < TRIES; tries++) {
      const code = await outcomeOf(`the call ${run}`, () =>
        writeFile(join(service, 'control/invoke.json'), `${JSON.stringify({ _key: run, run })}\n`),
      );
      count(code === 'ok' ? 'call' : `call: ${code}`);
      if (code !== 'ok' && !AWAY.has(code)) faults.push(`The call ${run} was answered by ${code}.`);
      if (code === 'ok') {
        acknowledged.set(run, join(service, 'jobs/by-key', run, 'status.json'));
        break;
      }
      await delay(AGAIN_MS);
    }
    await delay(random.below(200));
  }
}

/** An acknowledged call is found by its key, and is done. */
async function find(run: string, status: string): Promise<void> {
  let found = '';
  const state = await soon(`to read ${status}`, async () => {
    found = await readFile(status, 'utf8');
    return (JSON.parse(found) as { state: string }).state === 'ok';
  });
  if (state !== undefined)
    faults.push(`${run} was acknowledged, and is not found under jobs/: ${state || found}`);
}

/** One descriptor, open all the while: what comes from it is the file, and once all is well again it comes. */
async function readOn(path: string, random: Random): Promise<void> {
  let file: FileHandle | undefined;
  let size = 0;
  const opened = await soon(`to open ${path}`, async () => {
    // Each read goes to the node.
    file ??= await open(path, constants.O_RDONLY | constants.O_DIRECT);
    ({ size } = await file.stat());
    return true;
  });
  if (file === undefined || size === 0) {
    faults.push(`${path} could not be opened: ${opened ?? ''}`);
    return;
  }
  const readOne = async (): Promise<boolean> => {
    const at = random.below(size / BLOCK) * BLOCK;
    const { bytesRead, buffer } = await file!.read(Buffer.alloc(BLOCK), 0, BLOCK, at);
    const first = buffer.toString('latin1', 0, 7);
    if (bytesRead !== BLOCK || Number(first) !== at / 8)
      faults.push(`${path} has ${bytesRead} bytes at ${at}, which begin with ${first}.`);
    return true;
  };
  while (!isOver) {
    const code = await outcomeOf(`to read ${path}`, readOne);
    count(code === 'ok' ? 'read of a descriptor' : `read of a descriptor: ${code}`);
    await delay(READ_EVERY_MS);
  }
  const failed = await soon(`to read ${path} in the end`, readOne);
  if (failed !== undefined) faults.push(`The descriptor of ${path} is of no use any more: ${failed}`);
  await file.close().catch(() => undefined);
}

async function outcomeOf(what: string, act: () => Promise<unknown>): Promise<string> {
  try {
    await noted(what, act);
    return 'ok';
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? String(thrown);
  }
}

async function noted<T>(what: string, act: () => Promise<T>): Promise<T> {
  const mark = Symbol();
  pending.set(mark, { what, sinceMs: performance.now() });
  try {
    return await act();
  } finally {
    pending.delete(mark);
  }
}

/** Undefined once it holds; what it came to last, where it does not in time. */
async function soon(what: string, holds: () => Promise<boolean>): Promise<string | undefined> {
  const endMs = performance.now() + HEALED_MS;
  for (;;) {
    const [last] = await Promise.allSettled([noted(what, holds)]);
    if (last.status === 'fulfilled' && last.value) return undefined;
    if (performance.now() > endMs) return last.status === 'rejected' ? String(last.reason) : '';
    await delay(AGAIN_MS);
  }
}
