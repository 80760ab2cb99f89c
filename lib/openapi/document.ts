import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { pathFromPointer } from '../manifest/index.js';

export const METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'] as const;

/** How long a chain of references may be. */
const MAX_CHAIN = 32;

/** A document of others: what is not as it should be is as if it were not there. */
export class OpenapiDocument {
  readonly root: JsonObject;
  /** 3.0 writes its schemas in a dialect of its own. */
  readonly isOld: boolean;

  constructor(root: JsonObject) {
    this.root = root;
    this.isOld = textOf(root, 'openapi')?.startsWith('3.0') === true;
  }

  /** The object that a value is, or refers to; an empty one for everything else. */
  object(value: JsonValue | undefined): JsonObject {
    let one = value;
    for (let chain = 0; chain < MAX_CHAIN && isJsonObject(one); chain++) {
      const ref = ownValue(one, '$ref');
      if (typeof ref !== 'string') return one;
      one = this.at(ref);
    }
    return {};
  }

  /** What a reference within the document leads to. */
  at(ref: string): JsonValue | undefined {
    if (!ref.startsWith('#')) return undefined;
    let one: JsonValue | undefined = this.root;
    for (const step of stepsOf(ref)) {
      if (Array.isArray(one)) one = (one as readonly JsonValue[])[Number(step)];
      else if (isJsonObject(one)) one = ownValue(one, step);
      else return undefined;
    }
    return one;
  }

  list(value: JsonValue | undefined): readonly JsonValue[] {
    return Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  }
}

function stepsOf(ref: string): string[] {
  try {
    return pathFromPointer(decodeURIComponent(ref.slice(1)));
  } catch {
    // A percent sign that encodes nothing.
    return pathFromPointer(ref.slice(1));
  }
}

export function textOf(object: JsonObject, name: string): string | undefined {
  const value = ownValue(object, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function objectOf(object: JsonObject, name: string): JsonObject {
  const value = ownValue(object, name);
  return isJsonObject(value) ? value : {};
}

/** `text` as the name of something: letters, digits, `.`, `_` and `-`. */
export function slugOf(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/-*([._])-*/g, '$1')
    .replace(/^[-.]+|[-.]+$/g, '');
}
