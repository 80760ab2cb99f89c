import type { JsonValue } from '../core/index.js';

/** A secret by name: a variable (of the manifest's `env`, else of the node's environment), or a file, absolute. */
export type SecretSource = { readonly env: string } | { readonly file: string };

/** What a request is authorized by. Secrets stand by name alone. */
export type HttpAuth =
  | { readonly type: 'bearer'; readonly token: SecretSource }
  | { readonly type: 'basic'; readonly username: string | SecretSource; readonly password: SecretSource }
  | {
      readonly type: 'header' | 'query' | 'cookie';
      readonly name: string;
      readonly prefix: string;
      readonly value: SecretSource;
    }
  | {
      /** The client credentials grant of RFC 6749. */
      readonly type: 'oauth2';
      readonly tokenUrl: string;
      readonly clientId: string | SecretSource;
      readonly clientSecret: SecretSource;
      readonly scope: string | null;
      readonly audience: string | null;
      readonly clientAuth: 'basic' | 'post';
    };

export const PARAMETER_STYLES = ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject', 'json'] as const;

/** A value of the query or of a form, and how lists and objects are written, in OpenAPI's words. */
export interface HttpParameter {
  readonly value: string;
  readonly style: (typeof PARAMETER_STYLES)[number];
  /** Lists give one pair for each value, rather than one for all. */
  readonly explode: boolean;
}

export type HttpBody =
  | { readonly kind: 'json'; readonly json: JsonValue; readonly contentType: string }
  | { readonly kind: 'form'; readonly fields: Readonly<Record<string, HttpParameter>> }
  | { readonly kind: 'multipart'; readonly fields: Readonly<Record<string, HttpParameter>> }
  | { readonly kind: 'text' | 'base64'; readonly template: string; readonly contentType: string };

/** How further pages of an answer are found. */
export interface HttpPages {
  /** `link`: the header `Link` with `rel="next"`; `cursor`: a value for `query`; `url`: the address itself. */
  readonly by: 'link' | 'cursor' | 'url';
  /** JSON Pointer to the cursor or the address; null for `link`. */
  readonly next: string | null;
  /** The parameter that takes the cursor; null for the others. */
  readonly query: string | null;
  /** JSON Pointer to the array of each page. */
  readonly items: string;
  readonly max: number;
}

export interface HttpRequestDefinition {
  readonly method: string;
  /** `https://host:port`, as the URL parser writes it. */
  readonly origin: string;
  /** What follows the origin, with placeholders; literal characters are encoded already. */
  readonly path: string;
  /** Origins that redirects and pages may lead to, the own one among them. */
  readonly origins: readonly string[];
  readonly query: Readonly<Record<string, HttpParameter>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: HttpBody | null;
  readonly auth: readonly HttpAuth[];
  /** How many redirects are followed; 0: none. */
  readonly redirects: number;
  /** How often an idempotent request is tried again. */
  readonly retries: number;
  /** `full`: the result is made of status, headers and body. */
  readonly response: 'body' | 'full';
  /** A JSON Pointer, or an object of those; null: all of it. */
  readonly result: JsonValue;
  /** Null: as its content type says. */
  readonly output: 'json' | 'text' | null;
  readonly pages: HttpPages | null;
  readonly env: Readonly<Record<string, string>>;
}

/** Methods that may be sent twice with the effect of once (RFC 9110). */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
