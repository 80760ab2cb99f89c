import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import type { HttpAuth, SecretSource } from './http-definition.js';
import { originOf } from './http-url.js';
import type { PathStep, Problems } from './fault.js';

/** Variables of this program's own: no manifest reads them. */
const OWN = /^ACHERON_/;

/** `auth` of a manifest, as a list; `resolve` makes paths absolute. */
export function httpAuthFrom(
  written: JsonValue,
  resolve: (path: string) => string,
  problems: Problems,
): readonly HttpAuth[] {
  const isList = Array.isArray(written);
  const list = (isList ? written : [written]) as readonly JsonValue[];
  return list.flatMap((one, at) => {
    if (!isJsonObject(one)) return [];
    const path = isList ? ['runtime', 'auth', at] : ['runtime', 'auth'];
    return new AuthReader(one, path, resolve, problems).read() ?? [];
  });
}

class AuthReader {
  readonly #written: JsonObject;
  readonly #path: readonly PathStep[];
  readonly #resolve: (path: string) => string;
  readonly #problems: Problems;

  constructor(
    written: JsonObject,
    path: readonly PathStep[],
    resolve: (path: string) => string,
    problems: Problems,
  ) {
    this.#written = written;
    this.#path = path;
    this.#resolve = resolve;
    this.#problems = problems;
  }

  read(): HttpAuth | null {
    const type = this.#text('type') as HttpAuth['type'];
    switch (type) {
      case 'bearer': {
        const token = this.#secret('token');
        return token === null ? null : { type, token };
      }
      case 'basic': {
        const username = this.#text('username') ?? this.#secret('username');
        const password = this.#secret('password');
        return username === null || password === null ? null : { type, username, password };
      }
      case 'header':
      case 'query':
      case 'cookie': {
        const name = this.#needed('name');
        const value = this.#secret('value');
        if (name === null || value === null) return null;
        return { type, name, prefix: this.#text('prefix') ?? '', value };
      }
      case 'oauth2':
        return this.#oauth();
    }
  }

  #oauth(): HttpAuth | null {
    const tokenUrl = this.#needed('token_url');
    const clientId = this.#text('client_id') ?? this.#secret('client_id');
    const clientSecret = this.#secret('client_secret');
    if (tokenUrl !== null && (originOf(tokenUrl) === null || /[{}@#]/.test(tokenUrl)))
      this.#fault('token_url', `${JSON.stringify(tokenUrl)} is not an http or https URL.`, 'a URL');
    if (tokenUrl === null || clientId === null || clientSecret === null) return null;
    return {
      type: 'oauth2',
      tokenUrl,
      clientId,
      clientSecret,
      scope: this.#text('scope'),
      audience: this.#text('audience'),
      clientAuth: (this.#text('client_auth') ?? 'basic') as 'basic' | 'post',
    };
  }

  #text(name: string): string | null {
    return (ownValue(this.#written, name) ?? null) as string | null;
  }

  #needed(name: string): string | null {
    const text = this.#text(name);
    if (text === null)
      this.#fault(null, `${JSON.stringify(name)} is missing in "auth".`, JSON.stringify(name));
    return text;
  }

  #secret(name: string): SecretSource | null {
    const env = this.#text(`${name}_env`);
    const file = this.#text(`${name}_file`);
    if (env !== null && OWN.test(env)) {
      this.#fault(`${name}_env`, `${env} is a variable of Acheron's own.`, 'another variable');
      return null;
    }
    if (env !== null && file === null) return { env };
    if (file !== null && env === null) return { file: this.#resolve(file) };
    this.#fault(
      null,
      env === null
        ? `"auth" does not say where the ${name.replace('_', ' ')} is: it stands in no manifest.`
        : `"auth" names both a variable and a file for the ${name.replace('_', ' ')}.`,
      `"${name}_env" or "${name}_file"`,
    );
    return null;
  }

  #fault(name: string | null, message: string, expected: string): void {
    this.#problems.fault({
      path: name === null ? this.#path : [...this.#path, name],
      message,
      expected,
      got: 'something else',
      hint: `Add ${expected}.`,
    });
  }
}
