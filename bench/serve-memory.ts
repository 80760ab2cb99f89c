// A child process of the bench: `serve-memory BINDING live|announced DIR` mounts the filesystem in memory by
// one binding and serves it until SIGTERM.
import { silentLog } from '../lib/core/index.js';
import { localSession } from '../lib/policy/index.js';
import { bindingNamed } from './bindings.js';
import { memoryVfs } from './memory-vfs.js';

const [name = '', freshness = '', dir = ''] = process.argv.slice(2);
const binding = await bindingNamed(name);
const reason = binding === undefined ? 'it is not part of this build' : await binding.unavailable();
if (binding === undefined || reason !== null) {
  process.stderr.write(`the binding ${name} cannot be used: ${reason}\n`);
  process.exit(1);
}
const session = localSession('admin');
const mount = await binding.mount(memoryVfs(freshness === 'live' ? 'live' : 'announced'), {
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
