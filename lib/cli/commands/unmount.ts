import { resolve } from 'node:path';
import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { holdersOf, mountEntryAt, resolveMountDir, serverOf, unmountDir } from '../../fuse/index.js';
import { RunningProcess } from '../end-process.js';
import { plain, printLine } from '../print.js';

/** How long a server may take to notice by itself that its mount is gone, and then to end when it is asked to. */
const NOTICE_MS = 3000;
const END_MS = 35_000;

export function unmountCommand(): Command {
  return new Command('unmount')
    .description(
      'Unmount a directory, also when its server is dead or hangs, and wait until the process that served it has\nended. Programs that still use it are named, and get "Transport endpoint is not connected" from then on.',
    )
    .argument('<dir>', 'where it is mounted')
    .addHelpText('after', '\nExample:\n  $ acheron unmount ./mnt')
    .action(unmount);
}

async function unmount(name: string): Promise<void> {
  const path = await resolveMountDir(resolve(name));
  const entry = mountEntryAt(path);
  const pid = entry === undefined ? null : serverOf(entry);
  const server = pid === null ? null : new RunningProcess(pid);
  const holders = entry === undefined ? [] : holdersOf(path);
  const outcome = await unmountDir(resolve(name));
  if (outcome === 'not-mounted') return printLine(`Nothing is mounted on ${name}.`);
  for (const holder of outcome === 'lazily' ? holders : [])
    await printLine(`It was in use: ${plain(holder.name)} (pid ${holder.pid}) ${holder.how}.`);
  if (server !== null) await waitForEnd(server, outcome === 'lazily');
  await printLine(`Unmounted ${name}.`);
}

/** Where the mount is used in another place (a bind mount, a namespace), its server sees no end of it. */
async function waitForEnd(server: RunningProcess, isUsed: boolean): Promise<void> {
  if (await server.endsWithin(isUsed ? 0 : NOTICE_MS)) return;
  if (await server.end(END_MS)) return;
  throw new FsError('EBUSY', `It is unmounted, but process ${server.pid}, which served it, does not end.`, {
    hint: `To end it by force: kill -KILL ${server.pid}`,
  });
}
