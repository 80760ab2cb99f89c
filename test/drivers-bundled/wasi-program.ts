// A child process of the tests: runs a WASI program with this process's stdin and stdout.
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

/** What is used of it; its types belong to browsers, which the compiler does not know. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { instantiate(code: Uint8Array, imports: object): Promise<{ instance: object }> };
};

const wasi = new WASI({ version: 'preview1', args: ['driver'], env: {}, returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]!), wasi.getImportObject());
process.exitCode = wasi.start(instance);
