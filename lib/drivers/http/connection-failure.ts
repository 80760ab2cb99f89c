import { FsError } from '../../core/index.js';
import { HttpFailure } from './http-failure.js';

const REFUSED = new Map([
  ['ECONNREFUSED', 'refuses connections'],
  ['ENOTFOUND', 'is no host that is known'],
  ['EAI_AGAIN', 'could not be looked up'],
  ['EHOSTUNREACH', 'cannot be reached'],
  ['ENETUNREACH', 'cannot be reached'],
  ['ETIMEDOUT', 'does not answer'],
  ['UND_ERR_CONNECT_TIMEOUT', 'does not answer'],
]);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ECONNABORTED']);
const NOT_HTTP = /^(HPE_|UND_ERR_(HEADERS_OVERFLOW|RES_CONTENT_LENGTH|RES_EXCEEDED))/;
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;
const BAD_DATA = /^(Z_|ERR__?ERROR_|ERR_BROTLI|ERR_PADDING)/;

/** Why a connection to `host` gave no whole answer. An error that we made ourselves is passed on. */
export function connectionFailure(thrown: unknown, host: string): HttpFailure {
  if (thrown instanceof HttpFailure) return thrown;
  const inner = innermost(thrown);
  if (FsError.is(inner)) return new HttpFailure(inner);
  const code = codeOf(inner);
  const why = inner instanceof Error ? inner.message : String(inner);
  const fail = (message: string, hint: string, again: boolean): HttpFailure =>
    new HttpFailure(new FsError('EIO', message, { hint, cause: thrown }), { againMs: again ? 0 : null });
  const refused = REFUSED.get(code);
  if (refused !== undefined) return fail(`${host} ${refused}.`, 'Try again later, or correct the URL.', true);
  if (BROKEN.has(code))
    return fail(`${host} ended the connection before its answer was whole.`, 'Try again later.', true);
  if (TLS.test(code))
    return fail(
      `${host} could not be trusted: ${why.replace(/\.$/, '')}.`,
      'Its certificate must be valid for that name; NODE_EXTRA_CA_CERTS of the node adds an authority.',
      false,
    );
  if (NOT_HTTP.test(code) || (inner instanceof Error && inner.name === 'HTTPParserError'))
    return fail(
      `What ${host} answered is not HTTP as it should be: ${why.replace(/\.$/, '')}.`,
      'Tell who runs it.',
      false,
    );
  if (BAD_DATA.test(code))
    return fail(
      `${host} said that its answer is compressed, and it is not (${code}).`,
      'Tell who runs it.',
      false,
    );
  return fail(`The request to ${host} failed: ${why.replace(/\.$/, '')}.`, 'Try again later.', false);
}

function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** Several addresses were tried: one failure says enough. */
function innermost(thrown: unknown): unknown {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors[0];
  return thrown;
}
