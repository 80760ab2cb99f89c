import { FsError } from '../../core/index.js';
import type { FsAnswer } from './pending-requests.js';

/**
 * Opens a file over another connection, for a descriptor that was open on `identity`.
 * @throws FsError ESTALE where another file stands at its path by now, or none
 */
export async function openAgain(
  open: () => Promise<FsAnswer<'open'>>,
  remote: { closeHandle(handle: number, generation: number): void },
  identity: string | undefined,
): Promise<FsAnswer<'open'>> {
  const again = await open().catch((thrown: unknown) => {
    const error = FsError.from(thrown);
    throw error.code === 'ENOENT' && identity !== undefined ? isAnother(error) : error;
  });
  const { handle, identity: now } = again.payload;
  if (identity === undefined || now === undefined || now === identity) return again;
  remote.closeHandle(handle, again.generation);
  throw isAnother();
}

function isAnother(cause?: FsError): FsError {
  return new FsError('ESTALE', 'The file was replaced or removed while the connection to it was lost.', {
    hint: 'Open it again.',
    cause,
  });
}
