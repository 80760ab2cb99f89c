import { FsError } from '../core/index.js';
import type { BindingName, FuseBinding } from './binding.js';
import { kernelBinding } from './kernel-binding.js';
import { nativeBinding } from './native/native-binding.js';

/** In the order in which `auto` tries them. */
export const BINDINGS: readonly FuseBinding[] = [kernelBinding, nativeBinding];

/**
 * The binding of that name, or with `auto` the first that can mount here.
 * @throws FsError ENODEV with the reason and what to do about it.
 */
export async function chooseBinding(choice: 'auto' | BindingName): Promise<FuseBinding> {
  const reasons: string[] = [];
  for (const binding of BINDINGS) {
    if (choice !== 'auto' && choice !== binding.name) continue;
    const reason = await binding.unavailable();
    if (reason === null) return binding;
    reasons.push(`${binding.name}: ${reason}`);
  }
  throw new FsError('ENODEV', 'Nothing can be mounted here.', {
    hint: reasons.join('\n') || `There is no binding ${choice} on this platform.`,
  });
}
