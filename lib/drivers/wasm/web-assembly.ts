/**
 * What we use of the engine's `WebAssembly` (WebAssembly JavaScript Interface). TypeScript has its types
 * only among those of browsers, which this program does without.
 */
export interface WasmModule {
  readonly __brand: 'WebAssembly.Module';
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface Engine {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  readonly Module: {
    imports(module: WasmModule): { module: string; name: string }[];
    exports(module: WasmModule): { name: string; kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: Record<string, object>) => WasmInstance;
}

export const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
