// A child process of the bench: `mount-tunnel URL DIR` mounts what `serve-tunnel` serves until SIGTERM.
import { silentLog } from '../lib/core/index.js';
import { chooseBinding } from '../lib/fuse/index.js';
import { localSession } from '../lib/policy/index.js';
import { RemoteVfs } from '../lib/tunnel/index.js';
import { dialFiles } from './remote.js';

const [url = '', dir = ''] = process.argv.slice(2);
const vfs = new RemoteVfs();
vfs.attach(await dialFiles(url));
const session = localSession('admin');
const binding = await chooseBinding('auto');
const mount = await binding.mount(vfs, {
  dir,
  sessionOf: () => session,
  allowOther: false,
  allowUids: [],
  owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
  log: silentLog,
  fsname: 'acheron-bench',
});
process.once('SIGTERM', () => void mount.unmount());
process.stdout.write('ready\n');
await mount.closed;
process.exit(0);
