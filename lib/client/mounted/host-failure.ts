import { FsError } from '../../core/index.js';

/** What a mount answers whose server has ended. */
const SERVERLESS = new Set(['ENOTCONN', 'ECONNABORTED']);

/** Awaits a call of the host's. @throws FsError as the tree would say it */
export async function fromHost<Value>(call: Promise<Value>, path: string): Promise<Value> {
  try {
    return await call;
  } catch (thrown) {
    throw hostFailure(thrown, path);
  }
}

export function hostFailure(thrown: unknown, path: string): FsError {
  const code = (thrown as { code?: unknown }).code;
  if (typeof code === 'string' && SERVERLESS.has(code))
    return new FsError('EHOSTDOWN', `Nothing serves the mount of ${path} any more.`, {
      hint: 'Take it away with `acheron unmount DIR`, and mount anew.',
      path,
      cause: thrown,
    });
  const error = FsError.from(thrown);
  if (error.code === 'ENOENT') return new FsError('ENOENT', `There is no ${path}.`, { path, cause: thrown });
  return new FsError(error.code, error.message, { path, cause: thrown });
}
