import { compareDecimals, decimalFrom, textFromDecimal, type Decimal } from './decimal.js';
import type { JsonValue } from './json.js';

/**
 * Numbers that no double holds as they are written (9007199254740993): beside the parsed value, which has the nearest
 * double of each, it is remembered what the text said, by the object or array that has it.
 */
const writtenIn = new WeakMap<object, Map<string, string>>();
/** Values that have such a number somewhere. */
const inexact = new WeakSet<object>();

/** A text without such digits has no such number. */
const SUSPECT = /\d[\d.]{15}|\d[eE][+-]?\d{3}/;
/** Decimals of so many digits, and of no larger exponent, are all distinct as doubles. */
const SURE_DIGITS = 15;
const SURE_EXPONENT = 290n;

/** As `JSON.parse`; what a double cannot hold of a number is said by `writtenNumber` and `isInexact`. */
export function parseExactly(text: string): JsonValue {
  const value = JSON.parse(text) as JsonValue;
  if (typeof value === 'object' && value !== null && SUSPECT.test(text) && noteWritten(value, text))
    inexact.add(value);
  return value;
}

/** Whether the value, which `parseExactly` gave, has numbers that are not as they were written. */
export function isInexact(value: unknown): boolean {
  return typeof value === 'object' && value !== null && inexact.has(value);
}

/** The same, of a part of such a value or of a copy, which is looked through. */
export function hasInexactNumber(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return writtenIn.has(value) || Object.values(value).some(hasInexactNumber);
}

/** What was written for a number of `container` that its double is not. */
export function writtenNumber(container: unknown, key: string | number): string | undefined {
  return typeof container === 'object' && container !== null
    ? writtenIn.get(container)?.get(String(key))
    : undefined;
}

/** `copy` has the numbers of `original`, under the same keys. */
export function copyWritten<Copy extends object>(original: object, copy: Copy): Copy {
  const written = writtenIn.get(original);
  if (written !== undefined) writtenIn.set(copy, written);
  return copy;
}

/** The number of `container` that has the double `value`, exactly. */
export function decimalOf(container: unknown, key: string | number, value: number): Decimal {
  return decimalFrom(writtenNumber(container, key) ?? String(value));
}

/** As `canonicalJson`, and differs where numbers do, however little; the order of members stays with `ordered` false. */
export function canonicalExactJson(value: JsonValue | undefined, ordered = true): string {
  return textOf(value, undefined, '', ordered);
}

/** The same for what `container` has under `key`. */
export function exactTextOf(value: unknown, container: unknown, key: string | number): string {
  return textOf(value, container, key, true);
}

function textOf(value: unknown, container: unknown, key: string | number, ordered: boolean): string {
  if (typeof value === 'number') {
    const written = writtenNumber(container, key);
    return written === undefined ? JSON.stringify(value) : textFromDecimal(decimalFrom(written));
  }
  if (Array.isArray(value)) return `[${value.map((item, at) => textOf(item, value, at, ordered)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    if (ordered) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${textOf(item, value, name, ordered)}`).join(',')}}`;
  }
  return value === undefined ? 'null' : JSON.stringify(value);
}

interface Place {
  readonly container: object;
  readonly isArray: boolean;
  key: string | number;
  /** In an object, before a colon. */
  inKey: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** Walks the text beside what it was parsed to. True where it found a number that its double is not. */
function noteWritten(root: object, text: string): boolean {
  let found = false;
  const places: Place[] = [];
  let place: Place | undefined;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (place?.inKey === true) place.key = JSON.parse(text.slice(at, end + 1)) as string;
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      const container = place === undefined ? root : (Reflect.get(place.container, place.key) as object);
      place = { container, isArray: code === OPEN_ARRAY, key: 0, inKey: code === OPEN_OBJECT };
      places.push(place);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      places.pop();
      place = places.at(-1);
    } else if (code === COLON && place !== undefined) place.inKey = false;
    else if (code === COMMA && place !== undefined) {
      if (place.isArray) place.key = (place.key as number) + 1;
      else place.inKey = true;
    } else if (code === MINUS || isDigit(code)) {
      const end = endOfNumber(text, at);
      found = (place !== undefined && note(place, text.slice(at, end))) || found;
      at = end - 1;
    }
  }
  return found;
}

const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); ; end = text.indexOf('"', end + 1)) {
    let before = end;
    while (text.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((end - before) % 2 === 0) return end;
  }
}

const NUMBER = /[-+\d.eE]*/y;

function endOfNumber(text: string, from: number): number {
  NUMBER.lastIndex = from;
  NUMBER.test(text);
  return NUMBER.lastIndex;
}

function note({ container, key }: Place, token: string): boolean {
  if (!SUSPECT.test(token)) return false;
  const said = decimalFrom(token);
  const top = said.exponent + BigInt(said.digits.length);
  if (said.digits.length <= SURE_DIGITS && top < SURE_EXPONENT && top > -SURE_EXPONENT) return false;
  const double = Number(token);
  if (Number.isFinite(double) && compareDecimals(said, decimalFrom(String(double))) === 0) return false;
  let written = writtenIn.get(container);
  if (written === undefined) writtenIn.set(container, (written = new Map<string, string>()));
  written.set(String(key), token);
  return true;
}
