// A child process of the bench: `serve-memory BINDING live|announced DIR` mounts the filesystem in memory by
// one binding and serves it until SIGTERM.
import { BINDINGS } from '../lib/fuse/index.js';
import { memoryVfs } from './memory-vfs.js';
import { mountUntilTerm } from './mount-until-term.js';

const [name = '', freshness = '', dir = ''] = process.argv.slice(2);
const binding = BINDINGS.find((one) => one.name === name);
const reason = binding === undefined ? 'it is not part of this build' : await binding.unavailable();
if (binding === undefined || reason !== null) {
  process.stderr.write(`the binding ${name} cannot be used: ${reason}\n`);
  process.exit(1);
}
await mountUntilTerm(binding, memoryVfs(freshness === 'live' ? 'live' : 'announced'), dir);
