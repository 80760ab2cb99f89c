#!/usr/bin/env node
import { endianness } from 'node:os';

/** The machines whose structs and system call numbers are known here: 64 bits, little-endian. */
const MACHINES = new Set(['x64', 'arm64']);
/** How long whatever a command left undone may keep its process from ending. */
const LINGER_MS = 5000;

if (MACHINES.has(process.arch) && endianness() === 'LE') {
  takeColour(process.argv);
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

/**
 * Takes `--color`, `--color=always|never|auto` and `--no-color` out, which every command has: what colours text looks at the
 * environment when it is loaded.
 */
function takeColour(argv: string[]): void {
  const end = argv.indexOf('--');
  for (let at = (end === -1 ? argv.length : end) - 1; at > 1; at--) {
    const when = /^--(?:color(?:=(always|never|auto))?|(no)-color)$/.exec(argv[at] ?? '');
    if (when === null) continue;
    argv.splice(at, 1);
    delete process.env['NO_COLOR'];
    delete process.env['FORCE_COLOR'];
    if (when[2] !== undefined || when[1] === 'never') process.env['NO_COLOR'] = '1';
    else if (when[1] !== 'auto') process.env['FORCE_COLOR'] = '1';
  }
  // Where CI is set, picocolors would colour what goes into a pipe too.
  const { CI, FORCE_COLOR } = process.env;
  if (CI !== undefined && FORCE_COLOR === undefined && !process.stdout.isTTY) process.env['NO_COLOR'] = '1';
}
