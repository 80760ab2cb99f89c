import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { deniesNewPrivileges, privilegePrefix } from './containment.js';
import { isOfUnknownKind, resolveExecutable } from './executable.js';
import type { Command } from './command.js';
import { limitPrefix } from './resource-limits.js';
import { SpawnedProgram } from './spawned-program.js';
import { loadStarter, type Restrictions } from './starter.js';
import type { StdioPipes } from './stdio-pipes.js';

/**
 * A program that was started; without a pid where it was not, and an `error` event says why. One that has a pid may
 * still turn out not to have been started: `error` comes before its `exit` then.
 */
export type Leader = EventEmitter & { readonly pid?: number | undefined };

/** What there is where no pipes can be had. */
const SOCKETS = ['pipe', 'pipe', 'pipe'] as const;

/**
 * Starts a program as the leader of a session of its own, in the way that takes the main thread least time. Node's
 * `spawn` does what is not often asked for (messages), and all that fails, as it knows why.
 * @throws what `spawn` throws at once, and FsError EIO where there is no way to hold it to its limits
 */
export function startProgram(command: Command, pipes: StdioPipes | null): Leader {
  const { ids, limits = [] } = command;
  const restrictions = { ids, limits, deniesNewPrivileges: deniesNewPrivileges() };
  const started = startLightly(command, restrictions, pipes);
  if (started !== null) return started;
  const words = [...privilegePrefix(), ...limitPrefix(limits)];
  const [first] = words;
  if (first === undefined) return startByNode(command, pipes);
  const prefixed = { ...command, file: first, args: [...words.slice(1), command.file, ...command.args] };
  return startLightly(prefixed, { ...UNRESTRICTED, ids }, pipes) ?? startByNode(prefixed, pipes);
}

const UNRESTRICTED: Restrictions = { ids: null, limits: [], deniesNewPrivileges: false };

function startLightly(
  command: Command,
  restrictions: Restrictions,
  pipes: StdioPipes | null,
): SpawnedProgram | null {
  const { file, args, cwd, env, handed = [], hasMessages = false } = command;
  if (pipes === null || hasMessages) return null;
  const path = pathOf(command);
  if (path === null) return null;
  const request = {
    path,
    argv: [file, ...args],
    env,
    cwd,
    descriptors: [...pipes.theirs.entries(), ...handed],
  };
  const { ids, limits, deniesNewPrivileges } = restrictions;
  if (ids === null && limits.length === 0 && !deniesNewPrivileges) return SpawnedProgram.start(request);
  // What the kernel does not know how to start, the C library gives to a shell, behind Node's `spawn`.
  return isOfUnknownKind(path) ? null : (loadStarter()?.start(request, restrictions) ?? null);
}

function pathOf({ file, env, ids }: Command): string | null {
  if (file.includes('/')) return file;
  // Which of several another user may execute, the C library finds out as that user.
  if (ids !== null) return null;
  try {
    return resolveExecutable(file, env['PATH'] ?? '');
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
