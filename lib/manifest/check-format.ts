import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { ACTIONS } from '../policy/index.js';
import { isJsonObject, ownValue, type JsonObject, type JsonValue, nearest } from '../core/index.js';
import { pathFromPointer, type PathStep, type Problems } from './fault.js';
import {
  MANIFEST_FIELDS,
  MANIFEST_SCHEMA,
  PROBE_FIELDS,
  RUNTIME_FIELDS,
  RUNTIME_TYPES,
} from './manifest-schema.js';
import { plainCheckFrom } from './plain-schema.js';
import { expectedFromError, kindOfValue, wordsFromValue } from './words.js';

const MAX_FAULTS = 100;

const require = createRequire(import.meta.url);

/** Loaded for the first manifest with a fault, which it finds the words for. */
const ajv = (): typeof Ajv => (require('ajv') as { default: typeof Ajv }).default;

const passes = plainCheckFrom(MANIFEST_SCHEMA as JsonObject);
let compiled: ValidateFunction | undefined;

function validator(): ValidateFunction {
  return (compiled ??= new (ajv())({
    allErrors: true,
    verbose: true,
    strict: false,
    ownProperties: true,
    validateSchema: false,
    addUsedSchema: false,
  }).compile(MANIFEST_SCHEMA));
}

/** Reports everything in `value` that the published schema of the format refuses, and unknown fields. */
export function checkFormat(value: JsonValue, problems: Problems): value is JsonObject {
  const validate = passes?.(value) === true ? null : validator();
  if (validate !== null && !validate(value)) {
    const seen = new Set<string>();
    const errors = validate.errors ?? [];
    for (const error of errors) {
      if (COMPOUND.has(error.keyword) && !error.schemaPath.endsWith('/allow_roles/anyOf')) continue;
      if (error.schemaPath.includes('/anyOf/')) continue;
      const place = placeOf(error);
      const key = JSON.stringify([place.path, error.keyword === 'required' ? error.params : null]);
      if (seen.has(key) || seen.size >= MAX_FAULTS) continue;
      seen.add(key);
      problems.fault({ ...place, ...wordsFromError(error, place.path) });
    }
    if (seen.size === 0)
      throw new TypeError(
        `The format refuses, and does not say why: ${JSON.stringify(errors[0]?.schemaPath)}`,
      );
  }
  if (!isJsonObject(value)) return false;
  warnOfUnknown(value, problems);
  return true;
}

/** Keywords whose failure shows in the error of a part of theirs. */
const COMPOUND = new Set(['if', 'anyOf', 'allOf', 'oneOf']);

function placeOf(error: ErrorObject): { path: PathStep[]; atKey?: boolean } {
  const path = pathFromPointer(error.instancePath);
  if (error.keyword === 'propertyNames')
    return { path: [...path, (error.params as { propertyName: string }).propertyName], atKey: true };
  if (error.propertyName !== undefined) return { path: [...path, error.propertyName], atKey: true };
  return { path };
}

function wordsFromError(
  error: ErrorObject,
  path: readonly PathStep[],
): { message: string; expected: string; got: string; hint?: string } {
  const name = path.length === 0 ? 'The manifest' : JSON.stringify(String(path.at(-1)));
  if (error.keyword === 'required') {
    const missing = (error.params as { missingProperty: string }).missingProperty;
    const where = path.length === 0 ? '' : ` in ${name}`;
    return {
      message: `${JSON.stringify(missing)} is missing${where}.`,
      expected: `a property ${JSON.stringify(missing)}`,
      got: 'none',
      hint: `Add ${JSON.stringify(missing)}.`,
    };
  }
  if (error.keyword === 'propertyNames' || error.propertyName !== undefined) {
    const expected = 'a name of letters, digits and _, not beginning with a digit';
    return { message: `${name} is not the name of an environment variable.`, expected, got: name };
  }
  const secret = path[0] === 'runtime' && (path[1] === 'env' || path[1] === 'headers');
  const got = secret ? kindOfValue(error.data) : wordsFromValue(error.data);
  const expected =
    error.keyword === 'not'
      ? 'a name other than "." and ".."'
      : error.schemaPath.endsWith('/allow_roles/anyOf')
        ? 'a role, or an array of roles'
        : expectedFromError(error);
  const hint =
    error.keyword === 'type' && expected.startsWith('a string') && typeof error.data === 'number' && !secret
      ? `Put it in quotes: "${error.data}".`
      : undefined;
  return {
    message: `${name} must be ${expected}; it is ${got}.`,
    expected,
    got,
    ...(hint === undefined ? {} : { hint }),
  };
}

const ROLES = new Set(['admin', 'user', 'all', '*']);

function warnOfUnknown(manifest: JsonObject, problems: Problems): void {
  for (const name of Object.keys(manifest))
    if (!MANIFEST_FIELDS.has(name))
      warnOfField([], name, MANIFEST_FIELDS, 'It is kept, and shown in SERVICE.json.', problems);

  const runtime = ownValue(manifest, 'runtime');
  const type = isJsonObject(runtime) ? (ownValue(runtime, 'type') ?? 'static') : undefined;
  if (isJsonObject(runtime) && RUNTIME_TYPES.includes(type as (typeof RUNTIME_TYPES)[number])) {
    for (const name of Object.keys(runtime))
      if (!RUNTIME_FIELDS.has(name))
        warnOfField(['runtime'], name, RUNTIME_FIELDS, 'It has no effect.', problems);
    const probe = ownValue(runtime, 'probe');
    if (isJsonObject(probe))
      for (const name of Object.keys(probe))
        if (!PROBE_FIELDS.has(name))
          warnOfField(['runtime', 'probe'], name, PROBE_FIELDS, 'It has no effect.', problems);
  }
  const permissions = ownValue(manifest, 'permissions');
  if (isJsonObject(permissions)) warnOfPermissions(permissions, problems);
}

function warnOfPermissions(permissions: JsonObject, problems: Problems): void {
  warnOfRoles(permissions, ['permissions', 'allow_roles'], problems);
  const actions = ownValue(permissions, 'actions');
  if (!isJsonObject(actions)) return;
  const known = new Set<string>(ACTIONS);
  for (const [action, entry] of Object.entries(actions)) {
    if (!known.has(action))
      warnOfField(['permissions', 'actions'], action, known, 'It has no effect.', problems);
    if (isJsonObject(entry)) warnOfRoles(entry, ['permissions', 'actions', action, 'allow_roles'], problems);
  }
}

function warnOfRoles(holder: JsonObject, path: readonly string[], problems: Problems): void {
  const roles = ownValue(holder, 'allow_roles');
  const list = Array.isArray(roles) ? (roles as readonly JsonValue[]) : [roles];
  for (const role of list) {
    if (typeof role !== 'string' || ROLES.has(role)) continue;
    const words = { expected: '"admin", "user", "all" or "*"', got: JSON.stringify(role) };
    problems.warn({ path, message: `No session has the role ${words.got}.`, ...words });
  }
}

function warnOfField(
  above: readonly string[],
  name: string,
  known: ReadonlySet<string>,
  effect: string,
  problems: Problems,
): void {
  const near = nearest(name, known);
  const outer = above.at(-1);
  problems.warn({
    path: [...above, name],
    atKey: true,
    message: `${JSON.stringify(name)} is not a field of ${outer === undefined ? 'a manifest' : `"${outer}"`}. ${effect}`,
    expected: 'a known field',
    got: JSON.stringify(name),
    ...(near === undefined ? {} : { hint: `Did you mean ${JSON.stringify(near)}?` }),
  });
}
