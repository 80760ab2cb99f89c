import { FsError } from '../../core/index.js';
import type { ConnectionState } from '../../transport/index.js';

/** Why there is no connection to any of these addresses, and what to do about it. */
export function notReached(state: ConnectionState, urls: readonly string[]): FsError {
  if (state.state !== 'backing-off')
    return new FsError('EHOSTDOWN', `Nothing has answered at ${urls.join(', ')} yet.`, {
      hint: 'See that it is the address of a control plane, that it runs, and that no firewall stands before it.',
    });
  const { message, hint } = state.error;
  return new FsError('EHOSTDOWN', message, {
    ...(hint === undefined ? {} : { hint }),
    cause: state.error,
  });
}
