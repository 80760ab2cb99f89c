import { readFile } from 'node:fs/promises';
import { FsError } from '../../core/index.js';
import type { WasmRuntime } from '../../manifest/index.js';
import { fingerprint } from '../native-proc/executable.js';
import { withMemoryLimit } from './memory-limit.js';
import { engine, type WasmModule } from './web-assembly.js';

const WASI = 'wasi_snapshot_preview1';

/** Compiles the module of a manifest, again only when its file has changed. */
export class WasmCompiler {
  readonly #runtime: WasmRuntime;
  #compiled: { readonly seen: string; readonly module: Promise<WasmModule> } | null = null;

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
  }

  /** @throws FsError EIO when the file is no module that can run here, and why. */
  compiled(): Promise<WasmModule> {
    const seen = fingerprint(this.#runtime.modulePath);
    if (this.#compiled?.seen !== seen) this.#compiled = { seen, module: this.#compile() };
    return this.#compiled.module;
  }

  async #compile(): Promise<WasmModule> {
    const { modulePath, maxMemoryBytes, limits } = this.#runtime;
    const maxBytes = maxMemoryBytes ?? limits.memoryBytes;
    const bytes = await readFile(modulePath);
    if (!engine.validate(bytes)) throw unfit(modulePath, 'is not a WebAssembly module');
    const module = await engine.compile(maxBytes === null ? bytes : withMemoryLimit(bytes, maxBytes));
    this.#check(module);
    return module;
  }

  #check(module: WasmModule): void {
    const { modulePath, entrypoint } = this.#runtime;
    const foreign = engine.Module.imports(module).find((one) => one.module !== WASI);
    if (foreign !== undefined)
      throw unfit(modulePath, `needs ${foreign.module}.${foreign.name}, which is not WASI preview 1`);
    const exports = new Map(engine.Module.exports(module).map((one) => [one.name, one.kind]));
    if (exports.get(entrypoint) !== 'function')
      throw unfit(modulePath, `exports no function ${JSON.stringify(entrypoint)}`);
    if (exports.get('memory') !== 'memory') throw unfit(modulePath, 'exports no memory');
  }
}

function unfit(file: string, what: string): FsError {
  return new FsError('EIO', `The driver ${file} ${what}.`, {
    hint: 'Build it for WASI preview 1 (target wasm32-wasi), or correct "entrypoint" in the manifest.',
  });
}
