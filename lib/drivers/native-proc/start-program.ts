import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { resolveExecutable } from './executable.js';
import type { Command } from './command.js';
import { SpawnedProgram } from './spawned-program.js';
import type { StdioPipes } from './stdio-pipes.js';

/** A program that was started; without a pid where it was not, and an `error` event says why. */
export type Leader = EventEmitter & { readonly pid?: number | undefined };

/** What there is where no pipes can be had. */
const SOCKETS = ['pipe', 'pipe', 'pipe'] as const;

/**
 * Starts a program as the leader of a session of its own, in the way that takes the main thread least time. Node's
 * `spawn` does what is not often asked for (another user, messages), and all that fails, as it knows why.
 * @throws what `spawn` throws at once
 */
export function startProgram(command: Command, pipes: StdioPipes | null): Leader {
  return (pipes === null ? null : startLightly(command, pipes)) ?? startByNode(command, pipes);
}

function startLightly(command: Command, pipes: StdioPipes): SpawnedProgram | null {
  const { file, args, cwd, env, ids, handed = [], hasMessages = false } = command;
  // There is no such step as becoming another user, and a program that does it (setpriv) would begin as root, with
  // variables that the manifest sets: LD_PRELOAD.
  if (ids !== null || hasMessages) return null;
  const path = pathOf(file, env['PATH'] ?? '');
  if (path === null) return null;
  const descriptors = [...pipes.theirs.entries(), ...handed];
  return SpawnedProgram.start({ path, argv: [file, ...args], env, cwd, descriptors });
}

function pathOf(file: string, searchPath: string): string | null {
  if (file.includes('/')) return file;
  try {
    return resolveExecutable(file, searchPath);
  } catch {
    return null; // Node's own search says so, in its words.
  }
}

function startByNode(command: Command, pipes: StdioPipes | null): ChildProcess {
  const { file, args, cwd, env, ids, hasMessages } = command;
  return spawn(file, args, {
    cwd,
    env,
    detached: true,
    stdio: stdioWith(command, pipes),
    ...(hasMessages === true ? { serialization: 'advanced' as const } : {}),
    ...(ids ?? {}),
  });
}

/** A number that is not named stays closed: from 3 on that is what `ignore` means. */
function stdioWith({ handed = [], hasMessages = false }: Command, pipes: StdioPipes | null): StdioOptions {
  const stdio: ('pipe' | 'ignore' | 'ipc' | number)[] = [...(pipes?.theirs ?? SOCKETS)];
  if (hasMessages) stdio.push('ipc');
  for (const [number, fd] of handed) {
    while (stdio.length < number) stdio.push('ignore');
    stdio[number] = fd;
  }
  return stdio;
}
