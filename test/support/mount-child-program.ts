import { FsError, type Log } from '../../lib/core/index.js';
import { chooseBinding, type Mount } from '../../lib/fuse/index.js';
import { localSession } from '../../lib/policy/index.js';
import type { Vfs } from '../../lib/vfs/index.js';
import { kernelBindingWith } from '../../lib/fuse/kernel-binding.js';
import type { FromChild, MountRequest } from './mount-child.js';

// Mounts what its parent asks for, until asked to unmount, or until the parent is gone.

const say = (message: FromChild): void => void process.send?.(message);
const print = (message: string, facts: object = {}): void => console.error(message, facts);
const log: Log = { debug: () => undefined, info: print, warn: print, error: print };

let mount: Mount | undefined;

async function start(request: MountRequest): Promise<void> {
  const build = ((await import(request.fixture.module)) as Record<string, unknown>)[request.fixture.name];
  if (typeof build !== 'function')
    throw new TypeError(`${request.fixture.module} has no ${request.fixture.name}.`);
  const vfs = await (build as (argument: unknown) => Vfs | Promise<Vfs>)(request.fixture.argument);
  const binding =
    request.reader === undefined ? await chooseBinding(request.binding) : kernelBindingWith(request.reader);
  const session = localSession(request.role ?? 'admin');
  mount = await binding.mount(vfs, {
    dir: request.dir,
    sessionOf: () => session,
    allowOther: request.allowOther ?? false,
    allowUids: request.allowUids ?? [],
    owner: { uid: process.getuid!(), gid: process.getgid!() },
    log,
    fsname: 'acheron-test',
  });
  say({ type: 'ready', dir: mount.dir });
  const reason = await mount.closed;
  say({ type: 'closed', how: reason.how });
  await vfs.close();
  process.disconnect();
}

process.on('message', (message: MountRequest | 'unmount') => {
  if (message === 'unmount') {
    if (mount === undefined) process.exit(1);
    void mount.unmount();
  } else {
    start(message).catch((thrown: unknown) => {
      const error = FsError.from(thrown);
      say({ type: 'failed', code: error.code, message: error.sentence });
      process.disconnect();
    });
  }
});
process.once('disconnect', () => {
  if (mount === undefined) process.exit();
  void mount.unmount().finally(() => process.exit());
});
