/** Loaded first (`--import`), it has the process take itself for one on macOS. What is native is loaded before: there is none for macOS here. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
for (const native of ['koffi', 'libsql']) require(native);
Object.defineProperty(process, 'platform', { value: 'darwin' });
