import { MAX_JSON_DEPTH, type FsError } from '../../core/index.js';
import { jsonSyntaxError } from './json-syntax-error.js';

/** How deep a request may nest; deeper ones serve only to exhaust the stacks of those who read them. */
export const MAX_DEPTH = MAX_JSON_DEPTH;

/** One complete object in the scanner's buffer, from its `{` to after its `}`. */
export interface ScannedObject {
  readonly bytes: Buffer;
  /** Where its top-level `_key` member stands in `bytes`, commas included so that cutting it leaves JSON. */
  readonly keyMember: { readonly from: number; readonly to: number } | null;
  /** Whether it has a top-level `_traceparent` member. */
  readonly hasTraceparent: boolean;
  /** How many values and keys it has, at every depth: what its parts cost, where its bytes do not say. */
  readonly parts: number;
  /** Whether it has numbers of which a double perhaps holds a part alone. */
  readonly hasLongNumbers: boolean;
}

/** A buffer doubles up to this step. */
const MOST_GROWTH = 4 * 1024 * 1024;
/** Shorter ones without an exponent are held whole. */
const LONG_NUMBER = 16;

const enum State {
  Start,
  Value,
  FirstElement,
  FirstKey,
  Key,
  Colon,
  AfterValue,
  String,
  Escape,
  Hex,
  Utf8,
  Minus,
  Zero,
  Integer,
  Point,
  Fraction,
  Exponent,
  ExponentSign,
  ExponentDigits,
  Literal,
}

const QUOTE = 0x22,
  COMMA = 0x2c,
  COLON = 0x3a,
  OPEN_ARRAY = 0x5b,
  BACKSLASH = 0x5c,
  CLOSE_ARRAY = 0x5d,
  OPEN = 0x7b,
  CLOSE = 0x7d;
const LITERALS = new Map([
  [0x74, 'true'],
  [0x66, 'false'],
  [0x6e, 'null'],
]);

interface Container {
  readonly array: boolean;
  /** Keys seen so far, to refuse a second of the same name. */
  readonly keys: Set<string> | null;
}

/**
 * Finds JSON objects (RFC 8259) in bytes that arrive in pieces of any size, and faults as soon as they
 * are certain: a request that cannot become an object any more is refused by the write that spoils it.
 * Strict beyond the RFC where readers differ: keys are unique, text is UTF-8, there is no BOM.
 */
export class ObjectScanner {
  readonly #cut: string;
  #buffer = Buffer.alloc(0);
  #length = 0;
  #at = 0;
  #state = State.Start;
  #stack: Container[] = [];
  #objectStart = 0;
  #inKey = false;
  #stringStart = 0;
  #hexLeft = 0;
  #utf8Left = 0;
  #utf8Low = 0x80;
  #utf8High = 0xbf;
  #literal = '';
  #literalAt = 0;
  #keyFrom = -1;
  #keyTo = -1;
  #keyOpen = false;
  #hasTraceparent = false;
  #lastComma = -1;
  #parts = 0;
  #numberStart = 0;
  #hasLongNumbers = false;

  /** `cut`: the member that `keyMember` is about. */
  constructor(cut = '_key') {
    this.#cut = cut;
  }

  /** Bytes of an object that has begun and not ended. */
  get pendingBytes(): number {
    return this.#state === State.Start ? 0 : this.#length - this.#objectStart;
  }

  /**
   * Takes the next bytes and returns the objects that they complete.
   * @throws FsError EINVAL at the first byte that cannot be; the scanner is of no use afterwards.
   */
  push(data: Uint8Array): ScannedObject[] {
    this.append(data);
    return this.scan(data.length);
  }

  /** Takes the next bytes, which `scan` looks at later. */
  append(data: Uint8Array): void {
    const needed = this.#length + data.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(
        Math.max(needed, Math.min(this.#buffer.length * 2, this.#buffer.length + MOST_GROWTH)),
      );
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(data, this.#length);
    this.#length = needed;
  }

  /** Bytes that `scan` has not looked at. */
  get unscannedBytes(): number {
    return this.#length - this.#at;
  }

  /**
   * Looks at `count` more bytes, of those there are, and returns the objects that they complete.
   * @throws FsError as `push` does
   */
  scan(count: number): ScannedObject[] {
    const found: ScannedObject[] = [];
    const end = Math.min(this.#at + count, this.#length);
    while (this.#at < end) {
      if (this.#step(this.#byteAt(this.#at))) found.push(this.#take());
    }
    if (this.#state === State.Start && this.#at === this.#length)
      this.#length = this.#at = this.#objectStart = 0;
    return found;
  }

  /** What to say of an object that ended too early. */
  incomplete(): FsError {
    return jsonSyntaxError(this.#text(), this.#length, 'it ends before the object is complete');
  }

  /** Everything since the last complete object. */
  pending(): Buffer {
    return Buffer.from(this.#text());
  }

  #text(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #byteAt(at: number): number {
    return this.#buffer[at] ?? 0;
  }

  /** Consumes one byte; true when it completed the top-level object. */
  #step(byte: number): boolean {
    switch (this.#state) {
      case State.String:
        return this.#inString(byte);
      case State.Escape:
        if (byte === 0x75) this.#hexLeft = 4;
        else if (!isEscape(byte)) throw this.#fault('an unknown escape in a string');
        return this.#go(byte === 0x75 ? State.Hex : State.String);
      case State.Hex:
        if (!isHex(byte)) throw this.#fault('a \\u escape without four hexadecimal digits');
        return this.#go(--this.#hexLeft === 0 ? State.String : State.Hex);
      case State.Utf8:
        if (byte < this.#utf8Low || byte > this.#utf8High) throw this.#fault('text that is not UTF-8');
        this.#utf8Low = 0x80;
        this.#utf8High = 0xbf;
        return this.#go(--this.#utf8Left === 0 ? State.String : State.Utf8);
      case State.Literal:
        if (byte !== this.#literal.charCodeAt(this.#literalAt))
          throw this.#fault(`something else where "${this.#literal}" began`);
        return this.#go(++this.#literalAt === this.#literal.length ? State.AfterValue : State.Literal);
      default:
        return this.#state >= State.Minus ? this.#inNumber(byte) : this.#structural(byte);
    }
  }

  #structural(byte: number): boolean {
    if (isSpace(byte)) return this.#go(this.#state);
    switch (this.#state) {
      case State.Start:
        if (byte !== OPEN)
          throw this.#fault(
            byte === 0xef
              ? 'a byte order mark, or something else that is not an object,'
              : 'something that is not an object',
          );
        this.#objectStart = this.#at;
        this.#keyFrom = this.#keyTo = this.#lastComma = -1;
        this.#parts = 0;
        this.#hasLongNumbers = false;
        this.#hasTraceparent = false;
        return this.#open(false);
      case State.FirstKey:
        if (byte === CLOSE) return this.#close(false);
        return this.#beginKey(byte);
      case State.Key:
        return this.#beginKey(byte);
      case State.Colon:
        if (byte !== COLON) throw this.#fault('no ":" after a key');
        return this.#go(State.Value);
      case State.FirstElement:
        if (byte === CLOSE_ARRAY) return this.#close(true);
        return this.#beginValue(byte);
      case State.Value:
        return this.#beginValue(byte);
      default:
        return this.#afterValue(byte);
    }
  }

  #beginKey(byte: number): boolean {
    if (byte !== QUOTE) throw this.#fault('something else where a key in double quotes should stand');
    this.#inKey = true;
    this.#parts++;
    this.#stringStart = this.#at;
    return this.#go(State.String);
  }

  #beginValue(byte: number): boolean {
    this.#parts++;
    if (byte === QUOTE) {
      this.#inKey = false;
      return this.#go(State.String);
    }
    if (byte === OPEN || byte === OPEN_ARRAY) return this.#open(byte === OPEN_ARRAY);
    this.#numberStart = this.#at;
    if (byte === 0x2d) return this.#go(State.Minus);
    if (byte === 0x30) return this.#go(State.Zero);
    if (isDigit(byte)) return this.#go(State.Integer);
    const literal = LITERALS.get(byte);
    if (literal === undefined) throw this.#fault('something that is no value');
    this.#literal = literal;
    this.#literalAt = 1;
    return this.#go(State.Literal);
  }

  #afterValue(byte: number): boolean {
    const isInArray = this.#stack.at(-1)?.array === true;
    if (this.#stack.length === 1 && this.#keyOpen) {
      this.#keyOpen = false;
      this.#keyTo = byte === COMMA && this.#lastComma === -1 ? this.#at + 1 : this.#trimmedEnd();
      if (this.#lastComma !== -1) this.#keyFrom = this.#lastComma;
    }
    if (byte === COMMA) {
      if (this.#stack.length === 1) this.#lastComma = this.#at;
      return this.#go(isInArray ? State.Value : State.Key);
    }
    if (byte === (isInArray ? CLOSE_ARRAY : CLOSE)) return this.#close(isInArray);
    throw this.#fault(
      isInArray ? 'neither "," nor "]" after an element' : 'neither "," nor "}" after a member',
    );
  }

  /** The end of the value before the current byte, without the white space between them. */
  #trimmedEnd(): number {
    let end = this.#at;
    while (isSpace(this.#byteAt(end - 1))) end--;
    return end;
  }

  #open(array: boolean): boolean {
    if (this.#stack.length >= MAX_DEPTH) throw this.#fault(`more than ${MAX_DEPTH} levels of nesting`);
    this.#stack.push({ array, keys: array ? null : new Set() });
    return this.#go(array ? State.FirstElement : State.FirstKey);
  }

  #close(array: boolean): boolean {
    if (this.#stack.at(-1)?.array !== array) throw this.#fault('a bracket that closes nothing');
    this.#stack.pop();
    this.#at++;
    this.#state = this.#stack.length === 0 ? State.Start : State.AfterValue;
    return this.#stack.length === 0;
  }

  #inString(byte: number): boolean {
    if (byte === QUOTE) return this.#endString();
    if (byte === BACKSLASH) return this.#go(State.Escape);
    if (byte < 0x20)
      throw this.#fault(
        byte === 10
          ? 'a line break inside a string (is the closing quote missing?)'
          : 'a control character inside a string',
      );
    if (byte >= 0x80) return this.#beginUtf8(byte);
    while (++this.#at < this.#length && isPlain(this.#byteAt(this.#at)));
    return false;
  }

  /** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
  #beginUtf8(byte: number): boolean {
    if (byte >= 0xc2 && byte <= 0xdf) this.#utf8Left = 1;
    else if (byte >= 0xe0 && byte <= 0xef) this.#utf8Left = 2;
    else if (byte >= 0xf0 && byte <= 0xf4) this.#utf8Left = 3;
    else throw this.#fault('text that is not UTF-8');
    this.#utf8Low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#utf8High = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return this.#go(State.Utf8);
  }

  #endString(): boolean {
    if (!this.#inKey) return this.#go(State.AfterValue);
    const key = JSON.parse(this.#buffer.toString('utf8', this.#stringStart, this.#at + 1)) as string;
    const keys = this.#stack.at(-1)?.keys;
    if (keys?.has(key) === true) throw this.#fault(`the key ${JSON.stringify(key)} a second time`);
    keys?.add(key);
    if (this.#stack.length === 1 && key === '_traceparent') this.#hasTraceparent = true;
    if (key === this.#cut && this.#stack.length === 1) {
      this.#keyOpen = true;
      this.#keyFrom = this.#stringStart;
    }
    return this.#go(State.Colon);
  }

  #inNumber(byte: number): boolean {
    const digit = isDigit(byte);
    switch (this.#state) {
      case State.Minus:
        if (!digit) break;
        return this.#go(byte === 0x30 ? State.Zero : State.Integer);
      case State.Point:
        if (!digit) break;
        return this.#go(State.Fraction);
      case State.Exponent:
        if (byte === 0x2b || byte === 0x2d) return this.#go(State.ExponentSign);
        if (!digit) break;
        return this.#go(State.ExponentDigits);
      case State.ExponentSign:
        if (!digit) break;
        return this.#go(State.ExponentDigits);
      default:
        if (digit && this.#state !== State.Zero) return this.#go(this.#state);
        if (digit) throw this.#fault('a number with a leading zero');
        if (byte === 0x2e && this.#state <= State.Integer) return this.#go(State.Point);
        if ((byte === 0x65 || byte === 0x45) && this.#state !== State.ExponentDigits)
          return this.#go(State.Exponent);
        if (this.#at - this.#numberStart >= LONG_NUMBER || this.#state === State.ExponentDigits)
          this.#hasLongNumbers = true;
        this.#state = State.AfterValue;
        return this.#structural(byte);
    }
    throw this.#fault('a number that is not complete');
  }

  #go(state: State): false {
    this.#state = state;
    this.#at++;
    return false;
  }

  #take(): ScannedObject {
    const bytes = Buffer.from(this.#buffer.subarray(this.#objectStart, this.#at));
    const keyMember =
      this.#keyFrom === -1
        ? null
        : { from: this.#keyFrom - this.#objectStart, to: this.#keyTo - this.#objectStart };
    this.#objectStart = this.#at;
    return {
      bytes,
      keyMember,
      hasTraceparent: this.#hasTraceparent,
      parts: this.#parts,
      hasLongNumbers: this.#hasLongNumbers,
    };
  }

  #fault(what: string): FsError {
    return jsonSyntaxError(this.#text(), this.#at, what);
  }
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
/** What stands for itself inside a string: long texts are skipped over quickly. */
const isPlain = (byte: number): boolean =>
  byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH;
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
const ESCAPES = new Set(Buffer.from('"\\/bfnrt'));
const isEscape = (byte: number): boolean => ESCAPES.has(byte);
