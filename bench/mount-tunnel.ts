// A child process of the bench: `mount-tunnel URL DIR` mounts what `serve-tunnel` serves until SIGTERM.
import { chooseBinding } from '../lib/fuse/index.js';
import { RemoteVfs } from '../lib/tunnel/index.js';
import { mountUntilTerm } from './mount-until-term.js';
import { dialFiles } from './remote.js';

const [url = '', dir = ''] = process.argv.slice(2);
const vfs = new RemoteVfs();
vfs.attach(await dialFiles(url));
await mountUntilTerm(await chooseBinding('auto'), vfs, dir);
