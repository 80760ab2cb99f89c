import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { FsError, type ServiceId } from '../../core/index.js';
import {
  baseEnvironment,
  CallProcess,
  callEnvironment,
  CallSet,
  driverClosed,
  errorFromAbort,
  failure,
  idsForService,
  kernelLimits,
  outcomeFromRun,
  requestFailure,
  timeLeftMs,
  type Driver,
  type DriverContext,
  type Invocation,
  type Outcome,
  type RunEnd,
  type RunOptions,
  type CancelSignal,
} from '../../drivers/index.js';
import type { RuntimeLimits } from '../../manifest/index.js';
import { terminalRequestFrom, type TerminalRequest } from './terminal-request.js';

export interface TerminalOptions {
  readonly serviceId: ServiceId;
  readonly limits: RuntimeLimits;
  /** Where commands run that name no `cwd`. Absent: at home, of the user whom they run as. */
  readonly cwd?: string;
}

/** What a shell answers for a program that is not there, or may not be run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** Runs commands, each in a process group of its own. An exit status other than 0 is a result as well. */
export class TerminalDriver implements Driver {
  readonly fault = null;
  readonly #options: TerminalOptions;
  readonly #context: DriverContext;
  readonly #calls = new CallSet();

  constructor(options: TerminalOptions, context: DriverContext) {
    this.#options = options;
    this.#context = context;
  }

  onFault(): () => void {
    return () => undefined;
  }

  async invoke(call: Invocation): Promise<Outcome> {
    if (this.#calls.isClosed) return failure(driverClosed());
    if (call.signal.aborted) return failure(errorFromAbort(call.signal));
    let request: TerminalRequest;
    try {
      request = terminalRequestFrom(call.payload);
    } catch (thrown) {
      return requestFailure(thrown);
    }
    try {
      return await this.#calls.track(call.signal, (stop) => this.#run(request, call, stop));
    } catch (thrown) {
      return failure(FsError.from(thrown));
    }
  }

  async restart(): Promise<void> {
    // Nothing is kept alive between calls.
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  async #run(request: TerminalRequest, call: Invocation, signal: CancelSignal): Promise<Outcome> {
    const { limits, serviceId } = this.#options;
    const { nodeId, clock } = this.#context;
    const ids = idsForService(serviceId, limits.user, this.#context.driverUser);
    const env = {
      ...baseEnvironment(nodeId, serviceId, { TERM: 'dumb' }, ids?.uid ?? null),
      ...callEnvironment(call, null),
    };
    const [file, ...args] = request.argv;
    const cwd = resolve(this.#options.cwd ?? homeOf(env), request.cwd ?? '.');
    if (!isDirectory(cwd)) return requestFailure(noDirectory(cwd));
    const command = { file, args, cwd, env, ids, limits: kernelLimits(limits) };
    const stderr = new Collected(limits.maxOutputBytes);
    const options: RunOptions = {
      stdin: Buffer.alloc(0),
      timeoutMs: timeLeftMs(call, limits.timeoutMs, clock.now()),
      limitMs: limits.timeoutMs,
      killGraceMs: limits.killGraceMs,
      maxOutputBytes: Math.min(limits.maxOutputBytes, request.maxOutputBytes ?? Infinity),
      signal,
      onOutput: (stream, chunk) => {
        if (stream === 'stderr') stderr.take(chunk);
        call.onOutput(stream, chunk);
      },
    };
    const end = await new CallProcess(command, this.#context).run(options);
    return outcomeOf(end, options, stderr.text, request);
  }
}

function homeOf(env: NodeJS.ProcessEnv): string {
  const home = env['HOME'];
  return home !== undefined && isDirectory(home) ? home : '/';
}

/** Found before the start: a start that fails for it looks like any other failure. */
function noDirectory(path: string): FsError {
  return new FsError('EINVAL', `${path} is not a directory.`, {
    path,
    hint: 'Give "cwd" the name of an existing directory of the node.',
  });
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function outcomeOf(end: RunEnd, options: RunOptions, stderr: string, { argv }: TerminalRequest): Outcome {
  const [program] = argv;
  switch (end.how) {
    case 'exited':
      return resultOf(end.exitCode, end.stdout, stderr, end.killedBy);
    case 'failed':
      if (end.error?.code === 'ENOENT')
        return resultOf(NOT_FOUND, end.stdout, `${program}: not found\n`, null);
      if (end.error?.code === 'EACCES')
        return resultOf(NOT_EXECUTABLE, end.stdout, `${program}: cannot be executed\n`, null);
      if (end.error?.code === 'E2BIG')
        return requestFailure(
          new FsError('E2BIG', 'The command line is longer than the system allows.', {
            hint: 'Give fewer or shorter arguments.',
            cause: end.error,
          }),
        );
      return outcomeFromRun(end, options, 'text');
    case 'too-much-output':
      return failure(
        new FsError('EIO', `The command printed more than ${options.maxOutputBytes} bytes and was stopped.`, {
          hint: 'Raise "max_output_bytes" in the request, as far as the terminal allows, or print less.',
        }),
        end.exitCode,
      );
    default:
      return outcomeFromRun(end, options, 'text');
  }
}

function resultOf(
  exitCode: number | null,
  stdout: Uint8Array,
  stderr: string,
  killedBy: NodeJS.Signals | null,
): Outcome {
  const result = {
    ok: exitCode === 0,
    exit_code: exitCode,
    stdout: Buffer.from(stdout).toString('utf8'),
    stderr,
    ...(killedBy === null ? {} : { signal: killedBy }),
  };
  return { ok: true, result: Buffer.from(JSON.stringify(result)), exitCode };
}

/** The first bytes of a stream. What is beyond the limit was dropped before, but for a note that says so. */
class Collected {
  readonly #chunks: Uint8Array[] = [];
  #room: number;

  constructor(maxBytes: number) {
    this.#room = maxBytes;
  }

  take(chunk: Uint8Array): void {
    if (this.#room <= 0) return;
    this.#chunks.push(chunk.subarray(0, this.#room));
    this.#room -= chunk.length;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
