import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { closeSync, fchownSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Ids } from './ids.js';
import { loadLibc } from './libc.js';

/** Our ends of a program's input and output. */
export interface Stdio {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

type Ends = readonly [read: number, write: number];

/**
 * Pipes for the input and output of one program. Node's own `pipe` is a socket, which no program can open by
 * a name: `/dev/stdin`, `/dev/stdout` and `/dev/stderr` fail there with ENXIO.
 */
export class StdioPipes {
  /** What the program gets as its descriptors 0, 1 and 2. Ours until `given`. */
  readonly theirs: readonly [number, number, number];
  readonly #ours: readonly [number, number, number];

  private constructor(input: Ends, output: Ends, errors: Ends) {
    this.theirs = [input[0], output[1], errors[1]];
    this.#ours = [input[1], output[0], errors[0]];
  }

  /** Null where there are none to be had. `ids`: whom the program runs as, who may open them by name then. */
  static open(ids: Ids | null): StdioPipes | null {
    const libc = loadLibc();
    const pipes: Ends[] = [];
    for (let count = 0; count < 3; count++) {
      const pipe = libc?.pipe() ?? null;
      if (pipe !== null) pipes.push(pipe);
    }
    const [input, output, errors] = pipes;
    if (input === undefined || output === undefined || errors === undefined) {
      for (const fd of pipes.flat()) closeSync(fd);
      return null;
    }
    const opened = new StdioPipes(input, output, errors);
    if (ids !== null) for (const fd of opened.theirs) fchownSync(fd, ids.uid, ids.gid);
    return opened;
  }

  /** The program has its ends, or could not be started. */
  given(child: EventEmitter): Stdio {
    for (const fd of this.theirs) closeSync(fd);
    const [input, output, errors] = this.#ours;
    const stdin = new Socket({ fd: input, readable: false, writable: true });
    const stdout = new Socket({ fd: output, readable: true, writable: false });
    const stderr = new Socket({ fd: errors, readable: true, writable: false });
    child.once('exit', () => stdin.destroy());
    return { stdin, stdout, stderr };
  }

  /** Nothing was started. */
  close(): void {
    for (const fd of [...this.theirs, ...this.#ours]) closeSync(fd);
  }
}

/** What Node made instead of our pipes; null where it could make none. */
export function stdioOfChild({ stdin, stdout, stderr }: ChildProcess): Stdio | null {
  return stdin && stdout && stderr ? { stdin, stdout, stderr } : null;
}

/** Nothing more can come out of it. */
export function isOutputClosed({ stdout, stderr }: Stdio): boolean {
  return stdout.closed && stderr.closed;
}

export async function outputClosed({ stdout, stderr }: Stdio): Promise<void> {
  await Promise.all([stdout, stderr].map(whenClosed));
}

export function destroyStdio({ stdin, stdout, stderr }: Stdio): void {
  for (const stream of [stdin, stdout, stderr]) stream.destroy();
}

function whenClosed(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.closed) resolve();
    else stream.once('close', () => resolve());
  });
}
