import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { mountEntryAt, resolveMountDir, serverOf } from '../../fuse/index.js';
import { RunningProcess, lockHolder } from '../end-process.js';
import { jsonOption, stateDirOption } from '../options.js';
import { printJson, printLine } from '../print.js';

const END_MS = 35_000;

export function stopCommand(): Command {
  return new Command('stop')
    .description(
      'End what runs with a state directory (up, node, control), or what serves a mount, and wait until it has ended.',
    )
    .argument('[dir]', 'where it is mounted; else all that runs with the state directory is ended')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  $ acheron stop\n  $ acheron stop ./mnt')
    .action((dir: string | undefined, flags: StopFlags) => stop(dir, flags));
}

interface StopFlags {
  readonly stateDir: string;
  readonly json?: boolean;
}

async function stop(dir: string | undefined, { stateDir, json }: StopFlags): Promise<void> {
  const pids = dir === undefined ? usersOf(stateDir) : await serverAt(resolve(dir));
  if (pids.length === 0 && json !== true)
    return printLine(`Nothing runs ${dir === undefined ? `with ${stateDir}` : `on ${dir}`}.`);
  for (const pid of pids) {
    await end(new RunningProcess(pid));
    if (json !== true) await printLine(`Process ${pid} has ended.`);
  }
  if (json === true) await printJson({ ended: pids });
}

async function end(server: RunningProcess): Promise<void> {
  if (!(await server.end(END_MS)))
    throw new FsError('EBUSY', `Process ${server.pid} was asked to end, and does not.`, {
      hint: `To end it by force: kill -KILL ${server.pid}`,
    });
}

/** The processes that hold a lock of that state. */
function usersOf(stateDir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(stateDir);
  } catch (thrown) {
    const error = FsError.from(thrown);
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  if (!existsSync('/proc/locks') && names.some((name) => name.endsWith('.lock')))
    throw new FsError('ENOSYS', `This system does not tell which process uses ${stateDir}.`, {
      hint: `End it where it runs (Ctrl-C), or find it with lsof ${join(stateDir, '*.lock')}, and kill that process.`,
    });
  const holders = names
    .filter((name) => name.endsWith('.lock'))
    .map((name) => lockHolder(join(stateDir, name)));
  return [...new Set(holders.filter((pid) => pid !== null))];
}

async function serverAt(dir: string): Promise<number[]> {
  const entry = mountEntryAt(await resolveMountDir(dir));
  if (entry === undefined) return [];
  const pid = serverOf(entry);
  if (pid !== null) return [pid];
  throw new FsError('ESRCH', `It is not known which process serves ${dir}.`, {
    hint: `It may be gone, or another user's. To take the mount away: acheron unmount ${dir}`,
  });
}
