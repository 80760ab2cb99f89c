import * as oauth from 'oauth4webapi';
import { FsError, type Clock } from '../../core/index.js';
import type { HttpAuth } from '../../manifest/index.js';
import type { Secrets } from '../secrets.js';

type OAuth = Extract<HttpAuth, { type: 'oauth2' }>;
/** As `fetch`, with the limits of the node. */
export type GuardedFetch = (
  url: string,
  options: { method: string; headers: Record<string, string>; body: string },
) => Promise<Response>;

/** A token is not used in the last moments of its life. */
const SPARE_MS = 30_000;
const LIFE_MS = 5 * 60_000;

/** The access token of a client: asked for once, for all calls, until it is old. */
export class OAuthToken {
  readonly #auth: OAuth;
  readonly #secrets: Secrets;
  readonly #clock: Clock;
  #token: Promise<{ readonly text: string; readonly untilMs: number }> | null = null;

  constructor(auth: OAuth, secrets: Secrets, clock: Clock) {
    this.#auth = auth;
    this.#secrets = secrets;
    this.#clock = clock;
  }

  /** @throws FsError EACCES, EIO */
  async get(fetch: GuardedFetch): Promise<string> {
    const token = (this.#token ??= this.#ask(fetch));
    try {
      const { text, untilMs } = await token;
      if (untilMs > this.#clock.now()) return text;
    } catch (thrown) {
      if (this.#token === token) this.#token = null;
      throw thrown;
    }
    if (this.#token === token) this.#token = null;
    return this.get(fetch);
  }

  /** It was refused: another is asked for next. */
  forget(): void {
    this.#token = null;
  }

  async #ask(fetch: GuardedFetch): Promise<{ text: string; untilMs: number }> {
    const { tokenUrl, clientId, clientSecret, clientAuth, scope, audience } = this.#auth;
    const id = typeof clientId === 'string' ? clientId : this.#secrets.read(clientId);
    const secret = this.#secrets.read(clientSecret);
    const parameters = new URLSearchParams({
      ...(scope === null ? {} : { scope }),
      ...(audience === null ? {} : { audience }),
    });
    const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
    const client = { client_id: id };
    const by = clientAuth === 'post' ? oauth.ClientSecretPost(secret) : oauth.ClientSecretBasic(secret);
    try {
      const response = await oauth.clientCredentialsGrantRequest(server, client, by, parameters, {
        [oauth.customFetch]: (url, { method, headers, body }) =>
          fetch(url, { method, headers, body: String(body) }),
        // Whoever writes http:// into a manifest has chosen it.
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so to stand out
        [oauth.allowInsecureRequests]: tokenUrl.startsWith('http:'),
      });
      const { access_token: text, expires_in: seconds } = await oauth.processClientCredentialsResponse(
        server,
        client,
        response,
      );
      this.#secrets.hide(text);
      const life = seconds === undefined ? LIFE_MS : Math.max(1000, seconds * 1000 - SPARE_MS);
      return { text, untilMs: this.#clock.now() + life };
    } catch (thrown) {
      if (FsError.is(thrown)) throw thrown;
      throw refusedToken(thrown, new URL(tokenUrl).host, this.#secrets);
    }
  }
}

function refusedToken(thrown: unknown, host: string, secrets: Secrets): FsError {
  const said =
    thrown instanceof oauth.ResponseBodyError
      ? `${thrown.error}${thrown.error_description === undefined ? '' : `: ${thrown.error_description}`}`
      : thrown instanceof Error
        ? thrown.message
        : String(thrown);
  return new FsError('EACCES', `${host} gives no token: ${secrets.redacted(said).replace(/\.$/, '')}.`, {
    hint: 'Check the client and its secret, which "auth" of the manifest names.',
  });
}
