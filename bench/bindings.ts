import * as fuse from '../lib/fuse/index.js';
import type { FuseBinding } from '../lib/fuse/index.js';

/** The bindings of this build, by what they are: whatever lib/fuse exports that can mount a tree. */
export function bindings(): readonly FuseBinding[] {
  return Object.values(fuse as Record<string, unknown>).filter(isBinding);
}

export async function bindingNamed(name: string): Promise<FuseBinding | undefined> {
  return bindings().find((binding) => binding.name === name);
}

function isBinding(value: unknown): value is FuseBinding {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<FuseBinding>).mount === 'function' &&
    typeof (value as Partial<FuseBinding>).name === 'string'
  );
}
