import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { FsError } from '../../core/index.js';

/** Answers one request: 0 or a negative errno, then what the operation returns. */
export type NativeReply = (errno: number, ...values: unknown[]) => void;

/** As much of fuse-native 2.2.6 as is used, its inner methods included where the outer ones lose facts. */
export interface NativeFuse {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
  /** By operation number; the first argument is the native side's record of the request. */
  readonly _handlers: ((record: Buffer, operation: number, ...args: unknown[]) => void)[];
  _op_fgetattr: (signal: NativeReply, path: string, fd: number) => void;
  _op_getxattr: (signal: NativeReply, path: string, name: string, space: Buffer) => void;
  _op_listxattr: (signal: NativeReply, path: string, space: Buffer) => void;
}

export interface NativeFuseClass {
  new (dir: string, handlers: object, options: object): NativeFuse;
  unmount(dir: string, done: (error: Error | null) => void): void;
}

let loaded: NativeFuseClass | undefined;

/**
 * Loads fuse-native, once.
 * @throws FsError ENODEV where it cannot be: another platform, a worker thread, no libfuse 2.
 */
export function loadFuseNative(): NativeFuseClass {
  if (loaded !== undefined) return loaded;
  if (!isMainThread)
    throw new FsError('ENODEV', 'fuse-native works in the main thread only.', {
      hint: 'Mount from the main thread.',
    });
  const require = createRequire(import.meta.url);
  try {
    loaded = requireFuse(require);
  } catch (thrown) {
    throw new FsError('ENODEV', `fuse-native cannot be loaded: ${firstLine(thrown)}`, {
      hint: 'It needs x64 Linux with libfuse 2 (Debian: apt-get install libfuse2), or macOS with macFUSE.',
      cause: thrown,
    });
  }
  // It would ask a shell for `fusermount -uz DIR`; by then the mount is gone already (native-binding.ts).
  loaded.unmount = (_dir, done) => done(null);
  return loaded;
}

function requireFuse(require: NodeJS.Require): NativeFuseClass {
  try {
    return require('fuse-native') as NativeFuseClass;
  } catch (thrown) {
    if (process.platform !== 'linux' || !/libfuse\.so\.2/.test(firstLine(thrown))) throw thrown;
    preloadBundledLibfuse(dirname(require.resolve('fuse-native/package.json')));
    return require('fuse-native') as NativeFuseClass;
  }
}

/**
 * Puts the libfuse that fuse-native brings where its addon finds it. It is no addon itself, so dlopen
 * loads it and then throws, always.
 */
function preloadBundledLibfuse(packageDir: string): void {
  const RTLD_NOW = 2;
  const RTLD_GLOBAL = 0x100;
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen(
      { exports: {} },
      join(packageDir, 'prebuilds', `linux-${process.arch}`, 'libfuse.so'),
      RTLD_NODELETE | RTLD_NOW | RTLD_GLOBAL,
    );
  } catch {
    // Expected; whether it helped shows at the next require.
  }
}

function firstLine(thrown: unknown): string {
  const [line = ''] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n', 1);
  return line;
}
