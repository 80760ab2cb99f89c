import { ProtocolError, SdkError, SdkErrorCode } from '@modelcontextprotocol/client';
import { FsError } from '../../core/index.js';

const MAX_TEXT = 1_000;

/** What a request to a server failed with: what the server says, or what is wrong with what it says. */
export function errorOfServer(thrown: unknown): FsError {
  for (let at: unknown = thrown; at instanceof Error; at = at.cause) if (FsError.is(at)) return at;
  const text = thrown instanceof Error ? cut(thrown.message) : 'something that is no error';
  if (thrown instanceof ProtocolError)
    return new FsError('EIO', `The MCP server refuses: ${text}`, { cause: thrown });
  if (thrown instanceof SdkError && thrown.code === SdkErrorCode.RequestTimeout)
    return new FsError('ETIMEDOUT', 'The MCP server did not answer in time.', { cause: thrown });
  return new FsError('EIO', `The answer of the MCP server cannot be used: ${text}`, {
    hint: 'Tell the author of the server.',
    cause: thrown,
  });
}

function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= MAX_TEXT ? line : `${line.slice(0, MAX_TEXT)}…`;
}
