import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporaryDir, type Teardown } from './test-node.js';

const SOURCE = join(import.meta.dirname, '../../../test/support/stepped-clock.c');

/** Why clocks cannot be stepped here; false where they can. */
export const noSteppedClocks = ((): string | false => {
  if (process.platform !== 'linux') return 'clocks are stepped on Linux alone';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'there is no C compiler (Debian: gcc)';
  }
})();

/**
 * The clock of the day of one process, which can be set while it runs: the machine's own is everybody's. A library that is loaded before
 * libc answers for it.
 */
export class SteppedClock {
  /** Runs what stands behind it by this clock. */
  readonly by: readonly string[];
  readonly #file: number;
  #offMs = 0;

  constructor(t: Teardown) {
    const dir = temporaryDir(t);
    chmodSync(dir, 0o755);
    const path = join(dir, 'off');
    this.#file = openSync(path, 'w', 0o644);
    t.teardown(() => closeSync(this.#file));
    this.#write();
    this.by = ['env', `LD_PRELOAD=${library()}`, `STEPPED_CLOCK_FILE=${path}`];
  }

  /** How far it is from the machine's. */
  get offMs(): number {
    return this.#offMs;
  }

  set(offMs: number): void {
    this.#offMs = offMs;
    this.#write();
  }

  #write(): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(this.#offMs));
    writeSync(this.#file, bytes, 0, 8, 0);
  }
}

let compiled: string | undefined;

/** Once for this process, which takes it along. */
function library(): string {
  if (compiled !== undefined) return compiled;
  const dir = mkdtempSync(join(tmpdir(), 'acheron-test-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  chmodSync(dir, 0o755);
  compiled = join(dir, 'stepped-clock.so');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', compiled, SOURCE, '-ldl']);
  return compiled;
}
