#!/usr/bin/env node
import { endianness } from 'node:os';

/** The machines whose structs and system call numbers are known here: 64 bits, little-endian. */
const MACHINES = new Set(['x64', 'arm64']);
/** How long whatever a command left undone may keep its process from ending. */
const LINGER_MS = 5000;

if (MACHINES.has(process.arch) && endianness() === 'LE') {
  const { keepCompiledModules, keptProgram } = await import('../lib/cli/kept-program.js');
  const kept = keptProgram(import.meta.dirname, process.argv[2]);
  if (kept === undefined) keepCompiledModules();
  // Loaded only now: what it needs of native code exists for these machines alone, and it is what is kept compiled.
  const { main } = kept ?? (await import('../lib/cli/index.js'));
  process.exitCode = await main(process.argv);
  kept?.keep();
  setTimeout(() => {
    process.stderr.write('acheron: Something was left running; the process is ended all the same.\n');
    process.exit();
  }, LINGER_MS).unref();
} else {
  process.stderr.write(
    `acheron: this machine is ${process.arch} (${endianness()}); Acheron runs on ${[...MACHINES].join(' and ')} alone. ` +
      'Use a 64-bit, little-endian Node.js.\n',
  );
  process.exitCode = 1;
}
