import type { JsonObject } from '../core/index.js';

/**
 * The services that a program knows, by id: what each takes and gives. Empty here; `acheron types` writes a
 * file that fills it in, and from then on `invoke` and `submit` are checked by the compiler.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- others add to it
export interface Services {}

/** The service that a name means (`echo`, `node/echo`), where it is one that `Services` knows. */
type Known<Name extends string> = Name extends keyof Services
  ? Name
  : Name extends `${string}/${infer Id}`
    ? Id extends keyof Services
      ? Id
      : never
    : never;

/** What a service takes; any object where that is not known. */
export type InputOf<Name extends string> = [Known<Name>] extends [never]
  ? JsonObject
  : Services[Known<Name>] extends { readonly input: infer Input extends object }
    ? Input
    : JsonObject;

/** What a service gives; any object where that is not known. */
export type OutputOf<Name extends string> = [Known<Name>] extends [never]
  ? JsonObject
  : Services[Known<Name>] extends { readonly output: infer Output extends object }
    ? Output
    : JsonObject;
