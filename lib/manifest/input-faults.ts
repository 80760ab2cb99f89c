import type { ErrorObject } from 'ajv';
import { isInexact } from '../core/index.js';
import { pathFromPointer } from './fault.js';
import { expectedFromError, wordsFromNumber, wordsFromValue } from './words.js';

/** What is wrong with a value at one place, by its schema. */
export interface InputFault {
  /** JSON Pointer into the value; empty for the whole. */
  readonly pointer: string;
  readonly expected: string;
  readonly got: string;
  /** The three as one sentence. */
  readonly message: string;
}

export function inputFault(pointer: string, expected: string, got: string): InputFault {
  return {
    pointer,
    expected,
    got,
    message: `${pointer || 'The request'}: expected ${expected}, got ${got}.`,
  };
}

/** What a check that failed has found, of which there is something. */
export function errorsOf({ errors }: { errors?: ErrorObject[] | null }): Errors {
  const [first, ...more] = errors ?? [];
  if (first === undefined) throw new TypeError('A check failed and found nothing.');
  return [first, ...more];
}

type Errors = readonly [ErrorObject, ...ErrorObject[]];

/** The fault that a check found which stopped at the first one. */
export function firstFaultFrom(errors: Errors, value: unknown): InputFault {
  return faultFromError(bestError(errors), value);
}

/** Everything that a check of the whole value found, each once, in the order in which it was found. */
export function allFaultsFrom(errors: readonly ErrorObject[], value: unknown): InputFault[] {
  const left: ErrorObject[] = [];
  for (const error of errors) {
    if (error.keyword === 'if') continue;
    if (!COMPOUND.has(error.keyword)) left.push(error);
    else {
      const parts = schemasIn(error.schema);
      const branches = left.splice(left.findLastIndex((before) => !isPart(before, error, parts)) + 1);
      const tellsOfBranches = error.keyword === 'anyOf' || error.keyword === 'oneOf';
      left.push(tellsOfBranches ? bestOfBranches(branches, error) : error);
    }
  }
  const faults = new Map<string, InputFault>();
  for (const error of left) {
    const fault = faultFromError(error, value);
    faults.set(fault.message, fault);
  }
  return [...faults.values()];
}

/** `value`: the whole in which the error was found. */
function faultFromError(error: ErrorObject, value: unknown): InputFault {
  const isMissing = error.keyword === 'required' || error.keyword === 'dependentRequired';
  return inputFault(
    error.instancePath,
    expectedFromError(error),
    isMissing ? 'none' : wordsFromData(error, value),
  );
}

/** A number as it was written. */
function wordsFromData({ data, instancePath }: ErrorObject, value: unknown): string {
  if (typeof data !== 'number' || !isInexact(value)) return wordsFromValue(data);
  const path = pathFromPointer(instancePath);
  let container = value;
  for (const step of path.slice(0, -1)) container = (container as Record<string | number, unknown>)[step];
  return wordsFromNumber(data, container, path.at(-1) ?? '');
}

/** Keywords whose own error follows those of their parts. */
const COMPOUND = new Set(['anyOf', 'oneOf', 'contains', 'propertyNames']);

function isPart(error: ErrorObject, of: ErrorObject, parts: { has(schema: unknown): boolean }): boolean {
  if (!error.instancePath.startsWith(of.instancePath)) return false;
  return parts.has(error.parentSchema) || typeof error.parentSchema !== 'object';
}

/** The schemas within a keyword's value. Where it refers to others, any may be one of them. */
function schemasIn(value: unknown): { has(schema: unknown): boolean } {
  const found = new Set<unknown>();
  let refers = false as boolean;
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null || found.has(part)) return;
    found.add(part);
    refers ||= '$ref' in part || '$dynamicRef' in part;
    Object.values(part).forEach(visit);
  };
  visit(value);
  return refers ? { has: () => true } : found;
}

/** Of the alternatives of an anyOf or oneOf, the error that came furthest; else the first. */
export function bestError(errors: Errors): ErrorObject {
  const [first] = errors;
  const last = errors.at(-1) ?? first;
  if (last.keyword !== 'anyOf' && last.keyword !== 'oneOf') return first;
  return bestOfBranches(errors.slice(0, -1), last);
}

function bestOfBranches(found: readonly ErrorObject[], last: ErrorObject): ErrorObject {
  const branches = found.filter((error) => error.keyword !== 'if');
  const deepest = branches.reduce((best, error) => (depthOf(error) > depthOf(best) ? error : best), last);
  if (deepest !== last) return deepest;
  const wanted = new Set(branches.map(expectedFromError));
  if (wanted.size === 0 || wanted.size > 4) return last;
  return { ...last, message: [...wanted].join(', or ') };
}

function depthOf(error: ErrorObject): number {
  return error.instancePath.split('/').length;
}
