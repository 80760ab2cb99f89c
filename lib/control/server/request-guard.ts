import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

export interface RequestGuardOptions {
  /** Origins that may speak to us from a browser; none by default. */
  readonly allowOrigins: readonly string[];
  /** Further names by which we are called. */
  readonly allowHosts: readonly string[];
  /** Our certificate, PEM: the names in it are ours. */
  readonly cert?: string | undefined;
}

/**
 * Keeps browsers out: a page of another origin, and a page whose name was rebound to our address. Looks
 * at every request before anything else does.
 */
export class RequestGuard {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  #certificate: X509Certificate | undefined;

  constructor({ allowOrigins, allowHosts, cert }: RequestGuardOptions) {
    this.#origins = new Set(allowOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, '')));
    this.#hosts = new Set([
      'localhost',
      hostname().toLowerCase(),
      ...allowHosts.map((name) => name.toLowerCase()),
    ]);
    this.#certificate = cert === undefined ? undefined : new X509Certificate(cert);
  }

  /** From now on the names in this certificate are ours. */
  replaceCertificate(cert: string): void {
    this.#certificate = new X509Certificate(cert);
  }

  /** Why the request is refused (403), or undefined. */
  refusal(request: IncomingMessage): string | undefined {
    const origins = request.headersDistinct['origin'] ?? [];
    if (!origins.every((origin) => this.#origins.has(origin.toLowerCase())))
      return 'This origin is not allowed.';
    // Every browser names the host; a program that does not cannot have been led here by a page.
    const isNameless = request.headersDistinct['host'] === undefined && origins.length === 0;
    return isNameless ? undefined : this.#hostRefusal(request);
  }

  /**
   * The same of a request to the web console, which its own pages may make, and no others, whatever was allowed.
   * `mustBePage`: only a page makes such a request, so it has an origin.
   */
  consoleRefusal(request: IncomingMessage, mustBePage: boolean): string | undefined {
    const refusal = this.#hostRefusal(request);
    if (refusal !== undefined) return refusal;
    const origins = request.headersDistinct['origin'] ?? [];
    const host = (request.headers.host ?? '').toLowerCase();
    // What stands in front of us may speak TLS in our place; we never do less than we were asked for.
    const own = this.#certificate === undefined ? [`http://${host}`, `https://${host}`] : [`https://${host}`];
    const isOwn = origins.every((origin) => own.includes(origin.toLowerCase()));
    return isOwn && (origins.length === 1 || !mustBePage) ? undefined : 'This origin is not allowed.';
  }

  #hostRefusal(request: IncomingMessage): string | undefined {
    const [host, ...more] = request.headersDistinct['host'] ?? [];
    if (host === undefined || more.length > 0 || !this.#isOurs(host)) return 'This host is not us.';
    return undefined;
  }

  /** An address is ours by itself (nobody can rebind it); a name only if we know it. */
  #isOurs(host: string): boolean {
    const [, address, hostName] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@]+))(?::\d{1,5})?$/i.exec(host) ?? [];
    const name = (address ?? hostName)?.toLowerCase();
    if (name === undefined) return false;
    if (isIP(name) !== 0) return true;
    return this.#hosts.has(name) || this.#certificate?.checkHost(name) !== undefined;
  }
}
