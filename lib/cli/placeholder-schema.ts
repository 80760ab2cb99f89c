import { InvalidArgumentError } from 'commander';
import type { JsonObject, JsonValue } from '../core/index.js';
import { templateFrom, solePlaceholder } from '../manifest/index.js';

/** Where a template stands, which says how its values are used. */
export type Use = 'argument' | 'path' | 'left-out' | 'json' | 'text';

export interface UsedTemplate {
  readonly text: string;
  readonly use: Use;
}

/** What the values of a request are, where the user says it: `count=integer`, `tags=array?` (may be absent). */
export type SaidTypes = ReadonlyMap<string, { readonly type: string; readonly optional: boolean }>;

const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object'];

/** `name=type`, and a `?` behind it where it may be absent. */
export function saidType(text: string): readonly [string, { type: string; optional: boolean }] {
  const [, name, type = '', mark] = /^([^=]+)=(\w+)(\?)?$/.exec(text) ?? [];
  if (name === undefined || !TYPES.includes(type))
    throw new InvalidArgumentError(
      `It must look like count=integer, or count=integer?; types are ${TYPES.join(', ')}.`,
    );
  return [name, { type, optional: mark !== undefined }];
}

/** The schema of a request from the placeholders for its values, by how each is used. */
export function schemaFromTemplates(templates: readonly UsedTemplate[], said: SaidTypes): JsonObject {
  const root = new Place();
  for (const { text, use } of templates) {
    const isSole = solePlaceholder(text) !== undefined;
    for (const part of templateFrom(text)) {
      if (typeof part === 'string' || part.source !== 'payload' || part.path.length === 0) continue;
      root.add(part.path, schemaOf(use, isSole), !(isSole && (use === 'left-out' || use === 'json')));
    }
  }
  for (const [name, { type, optional }] of said) root.say(name.split('.'), type, optional);
  return root.schema();
}

function schemaOf(use: Use, isSole: boolean): JsonObject {
  if (use === 'json' && isSole) return {};
  if (use === 'path') return { type: ['string', 'integer'], minLength: 1 };
  return use === 'argument' ? { type: 'string', minLength: 1 } : { type: ['string', 'number', 'boolean'] };
}

/** A value of the request, and the values in it. */
class Place {
  readonly #below = new Map<string, Place>();
  #own: JsonObject | undefined;
  #isRequired = false;

  add([step, ...rest]: readonly string[], own: JsonObject, isRequired: boolean): void {
    if (isRequired) this.#isRequired = true;
    if (step === undefined) {
      // Used twice, it must fit the stricter use.
      if (this.#own === undefined || Object.keys(this.#own).length === 0 || 'minLength' in own)
        this.#own = own;
      return;
    }
    this.#at(step).add(rest, own, isRequired);
  }

  say([step, ...rest]: readonly string[], type: string, isOptional: boolean): void {
    if (step === undefined) {
      this.#own = { type };
      this.#isRequired = !isOptional;
    } else this.#at(step).say(rest, type, isOptional);
  }

  schema(): JsonObject {
    if (this.#below.size === 0 && this.#own !== undefined) return this.#own;
    const entries = [...this.#below];
    const required = entries.filter(([, place]) => place.#isRequired).map(([name]) => name);
    return {
      type: 'object',
      ...(required.length === 0 ? {} : { required }),
      properties: Object.fromEntries(
        entries.map(([name, place]): [string, JsonValue] => [name, place.schema()]),
      ),
      additionalProperties: false,
    };
  }

  #at(step: string): Place {
    let place = this.#below.get(step);
    if (place === undefined) this.#below.set(step, (place = new Place()));
    return place;
  }
}
