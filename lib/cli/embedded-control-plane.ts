import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FsError, type Log } from '../core/index.js';
import type { RunningNode } from '../compose/index.js';
import type { World } from '../worldfs/index.js';
import { forgetControlUrl, keepControlUrl } from './control-url.js';
import { announcePlane } from './plane-beginning.js';
import { VERSION } from './version.js';

/** `acheron up` alone has these. */
export interface BesideFlags {
  readonly stateDir: string;
  /** Where the control plane listens; undefined: the usual port, or any where that one is taken. */
  readonly port?: number;
  /** Whether it serves the web console. */
  readonly console: boolean;
  /** Whether a link that opens it is made. */
  readonly consoleLink?: boolean;
}

/** How long after the mount is ready the control plane begins to load. */
const MOMENT_MS = 300;

interface Beside {
  readonly node: RunningNode;
  readonly world: World;
  readonly stopping: AbortSignal;
  readonly log: Log;
  /** Called once there is one, with what is to be known of it, or with nothing once it is sure that there is none. */
  readonly say: (lines: readonly string[], consoleLink: string | null) => void;
}

/**
 * Runs a control plane in this process, with the node as its first. It is loaded only once the mount is
 * ready and had a moment for programs that waited for it, because loading keeps this thread busy for a while. Where
 * there cannot be one, the mount goes on as it is, and the log says why.
 */
export async function runEmbeddedControlPlane(
  flags: BesideFlags,
  beside: Beside,
): Promise<() => Promise<void>> {
  try {
    const takeBack = announcePlane(flags.stateDir);
    try {
      return await begin(flags, beside);
    } finally {
      takeBack();
    }
  } catch (thrown) {
    const { message, hint } = FsError.from(thrown);
    beside.log.warn('There is no control plane beside this mount, which goes on without one.', {
      why: message,
      hint,
    });
    beside.say([], null);
    return async () => undefined;
  }
}

/** @throws FsError as `runPlane`; EACCES, ENOSPC where it cannot be kept where it listens */
async function begin(
  flags: BesideFlags,
  { node, world, stopping, log, say }: Beside,
): Promise<() => Promise<void>> {
  const { stateDir } = flags;
  await delay(MOMENT_MS, undefined, { signal: stopping }).catch(() => undefined);
  if (stopping.aborted) return async () => undefined;
  const [{ runPlane }, { DEFAULT_PORT }] = await Promise.all([
    import('../compose/index.js'),
    import('../control/index.js'),
  ]);
  const start = (port: number): ReturnType<typeof runPlane> =>
    runPlane({
      ...{ stateDir, port, local: node, console: flags.console, version: VERSION },
      ...{ tracer: node.tracer, log },
    });
  const plane = await start(flags.port ?? DEFAULT_PORT).catch((thrown: unknown) => {
    if (flags.port !== undefined || !isPortTaken(thrown)) throw thrown;
    return start(0);
  });
  try {
    world.show(plane.shown);
    keepControlUrl(stateDir, plane.url);
  } catch (thrown) {
    await plane.close();
    throw thrown;
  }
  const isElsewhere = flags.port === undefined && new URL(plane.url).port !== String(DEFAULT_PORT);
  say(
    [`${isElsewhere ? `Port ${DEFAULT_PORT} is taken: the` : 'The'} control plane listens on ${plane.url}.`],
    flags.consoleLink === true ? await plane.control.consoleLink() : null,
  );
  return async () => {
    forgetControlUrl(stateDir);
    await plane.close();
  };
}

/**
 * A port that was asked for by number must be free: looked at before anything is mounted, so that nobody
 * believes in a control plane that is not there.
 * @throws FsError EBUSY
 */
export async function checkPortIsFree(port: number | undefined): Promise<void> {
  if (port === undefined || port === 0) return;
  const probe = createServer();
  probe.listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw FsError.from(thrown);
    throw new FsError('EBUSY', `Port ${port} on 127.0.0.1 is taken.`, {
      hint: 'Stop what listens there, give another --port (0 picks one), or run without a control plane (--no-control).',
      cause: thrown,
    });
  }
  probe.close();
  await once(probe, 'close');
}

/** The state may be in use too: then another port is of no use. */
function isPortTaken(thrown: unknown): boolean {
  const { code, cause } = FsError.from(thrown);
  return code === 'EBUSY' && (cause as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE';
}
