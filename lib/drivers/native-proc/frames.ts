import { isJsonObject, ownValue, type JsonValue } from '../../core/index.js';
import { payloadText, type Invocation } from '../contract.js';
import { jsonTextAt } from '../json-text.js';
import { callFacts } from './environment.js';

/** What a persistent driver may print, one JSON object a line. */
export type Frame =
  | { readonly kind: 'result'; readonly id: string; readonly result: Buffer }
  | { readonly kind: 'error'; readonly id: string; readonly message: string }
  /** What the driver says about one call, for people. */
  | { readonly kind: 'stderr'; readonly id: string; readonly text: string }
  /** How far one call is; yet to be checked. */
  | { readonly kind: 'progress'; readonly id: string; readonly value: JsonValue }
  /** Said once after the start, by drivers that can do more than they must. */
  | { readonly kind: 'ready'; readonly canCancel: boolean };

const utf8 = new TextDecoder('utf-8', { fatal: true });
const EMPTY = Buffer.from('{}');

/** `{"id","call","payload"}`; the payload is kept character for character but for its line breaks. */
export function requestFrame(call: Invocation, configFile: string): string {
  const id = JSON.stringify(call.id);
  return `{"id":${id},"call":${JSON.stringify(callFacts(call, configFile))},"payload":${onOneLine(payloadText(call))}}`;
}

export function cancelFrame(id: string): string {
  return `{"id":${JSON.stringify(id)},"cancel":true}`;
}

/** The frame on a line, or null when it is none (or no UTF-8). Results keep their exact text. */
export function frameFromLine(line: Buffer): Frame | null {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(line);
    value = JSON.parse(text);
  } catch {
    // No frame: the driver reports the line itself.
    return null;
  }
  if (!isJsonObject(value)) return null;
  const ready = ownValue(value, 'ready');
  const id = ownValue(value, 'id');
  if (id === undefined && ready !== undefined)
    return { kind: 'ready', canCancel: isJsonObject(ready) && ownValue(ready, 'cancel') === true };
  if (typeof id !== 'string') return null;
  const hasResult = Object.hasOwn(value, 'result');
  if (hasResult && (ownValue(value, 'error') ?? null) === null) {
    const result = jsonTextAt(text, ['result']);
    return { kind: 'result', id, result: Buffer.from(result ?? '{}') };
  }
  if (Object.hasOwn(value, 'error'))
    return { kind: 'error', id, message: messageOf(ownValue(value, 'error')) };
  const stderr = ownValue(value, 'stderr');
  if (typeof stderr === 'string') return { kind: 'stderr', id, text: stderr };
  const progress = ownValue(value, 'progress');
  if (progress !== undefined) return { kind: 'progress', id, value: progress };
  return { kind: 'result', id, result: EMPTY };
}

function messageOf(error: JsonValue = null): string {
  if (typeof error === 'string') return error;
  const message = isJsonObject(error) ? ownValue(error, 'message') : undefined;
  return typeof message === 'string' ? message : JSON.stringify(error);
}

/** A raw line break in JSON can only be white space between tokens, so a blank may stand for it. */
function onOneLine(payload: string): string {
  return payload.replace(/[\r\n]/g, ' ');
}
