import { InvalidArgumentError, type Command, type Option } from 'commander';
import type { JsonValue } from '../core/index.js';
import { isRepeatable } from './options.js';

const ON = new Set(['1', 'true', 'yes', 'on']);
const OFF = new Set(['', '0', 'false', 'no', 'off']);

export const isSwitch = (option: Option): boolean => !option.required && !option.optional;

/** Whether a switch is on, as environment and config file say it. @throws InvalidArgumentError */
export function isOn(text: string): boolean {
  const word = text.trim().toLowerCase();
  if (ON.has(word)) return true;
  if (OFF.has(word)) return false;
  throw new InvalidArgumentError('It must be one of 1, true, yes, on, or 0, false, no, off.');
}

/**
 * The option that a key of a config file names, and whether the key turns it round: `bundled` of a command
 * that has `--no-bundled` alone.
 */
export function optionNamed(
  command: Command,
  key: string,
): { option: Option; inverted: boolean } | undefined {
  const named = command.options.find((option) => option.name() === key);
  if (named !== undefined) return { option: named, inverted: false };
  const negated = command.options.find((option) => option.negate && option.name() === `no-${key}`);
  return negated === undefined ? undefined : { option: negated, inverted: true };
}

/** What a value in a config file means for an option, checked as a flag's would be. @throws InvalidArgumentError */
export function valueFromJson(option: Option, value: JsonValue, inverted: boolean): unknown {
  if (isSwitch(option)) {
    if (typeof value === 'object') throw new InvalidArgumentError('It must be true or false.');
    return isOn(String(value)) !== (option.negate !== inverted);
  }
  const { parseArg } = option;
  if (!isRepeatable(parseArg)) return parsed(parseArg, textFrom(value), undefined);
  let result: unknown;
  for (const text of textsFrom(value)) result = parsed(parseArg, text, result);
  return result;
}

function parsed(parseArg: Option['parseArg'], text: string, before: unknown): unknown {
  return parseArg === undefined ? text : parseArg(text, before as never);
}

function textFrom(value: JsonValue): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new InvalidArgumentError('It must be one string or number.');
}

/** A list has each of the values; an object is a list of `key=value`. */
function textsFrom(value: JsonValue): string[] {
  if (value === null || typeof value !== 'object') return [textFrom(value)];
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(textFrom);
  return Object.entries(value as Record<string, JsonValue>).map(([key, one]) => `${key}=${textFrom(one)}`);
}
