import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import {
  copyWritten,
  FsError,
  isId,
  isJsonObject,
  ownValue,
  type JsonObject,
  type JsonValue,
  type ServiceId,
} from '../core/index.js';
import { checkFormat } from './check-format.js';
import type { ServiceDefinition } from './definition.js';
import { finishDefinition } from './finish-definition.js';
import { pathFromPointer, Problems, type ManifestFault, type Problem } from './fault.js';
import { compileInputSchema, type InputValidator } from './input-schema.js';
import { readJsonDocument } from './json-document.js';
import { endpointsFrom, findRootConflicts, mountsFrom } from './mounts.js';
import { runtimeFromManifest } from './runtime-from-manifest.js';
import { excerptAt, maskedText, type SourceExcerpt } from './source-excerpt.js';
import { templateFromSchema } from './template.js';
import { wordsFromValue } from './words.js';

/** What is made of it for the catalog fits into one frame of the wire; a manifest beyond this is a mistake. */
export const MAX_MANIFEST_BYTES = 256 * 1024;

export interface ManifestContext {
  /** Absolute path of the file, for messages and as the base of relative paths. */
  readonly file: string;
  readonly nodeId: string;
}

export interface ManifestReading {
  /** Absent when there are faults. */
  readonly definition?: ServiceDefinition;
  readonly faults: readonly ManifestFault[];
  readonly warnings: readonly ManifestFault[];
  /** Where the value of a JSON Pointer stands in the text. */
  readonly place: (pointer: string) => Place;
  /** The line of a fault, to be shown with it; null where the text is not to be had. */
  readonly excerpt: (place: Pick<ManifestFault, 'line' | 'column'>) => SourceExcerpt | null;
  /** Of the text, values of `env` masked: hex; null where the text is not to be had. */
  readonly textDigest: () => string | null;
}

export type Place = Pick<ManifestFault, 'line' | 'column' | 'pointer'>;

/** Turns a manifest's text into a definition, or says everything that is wrong with it. Pure and total. */
export function readManifest(text: string, context: ManifestContext): ManifestReading {
  if (Buffer.byteLength(text) > MAX_MANIFEST_BYTES) return refusedReading(context.file, TOO_LARGE);
  const reading = readJsonDocument(text, context.file);
  const isJson = !('faults' in reading);
  const excerpt: ManifestReading['excerpt'] = (at) => excerptAt(text, at, isJson);
  const textDigest = (): string => createHash('sha256').update(maskedText(text, isJson)).digest('hex');
  if (!isJson) return { faults: reading.faults, warnings: [], place: placeOfWhole, excerpt, textDigest };
  const place = (pointer: string): Place => placeIn(text, pointer);
  const { document } = reading;
  const problems = new Problems();
  const definition = definitionFrom(document.value, context, problems);
  const faults = problems.faults.map((problem) => document.place(problem)).sort(byPlace);
  const warnings = problems.warnings.map((problem) => document.place(problem)).sort(byPlace);
  return definition === undefined || faults.length > 0
    ? { faults, warnings, place, excerpt, textDigest }
    : { definition, faults, warnings, place, excerpt, textDigest };
}

/** The same from a file's bytes, which must be UTF-8. */
export function readManifestBytes(bytes: Uint8Array, context: ManifestContext): ManifestReading {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) return refusedReading(context.file, TOO_LARGE);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refusedReading(context.file, NOT_UTF8);
  }
  return readManifest(text, context);
}

export type FaultWords = Pick<ManifestFault, 'message' | 'expected' | 'got' | 'hint'>;

/** The reading of a file that is refused as a whole. */
export function refusedReading(file: string, words: FaultWords): ManifestReading {
  return {
    faults: [{ file, ...placeOfWhole(), ...words }],
    warnings: [],
    place: placeOfWhole,
    excerpt: () => null,
    textDigest: () => null,
  };
}

const placeOfWhole = (): Place => ({ line: 1, column: 1, pointer: '' });

/** Parses again rather than keep the tree of every manifest for the rare case that it is asked for. */
function placeIn(text: string, pointer: string): Place {
  const reading = readJsonDocument(text, '');
  if ('faults' in reading) return placeOfWhole();
  const path = pathFromPointer(pointer);
  const { line, column } = reading.document.place({ path, message: '', expected: '', got: '' });
  return { line, column, pointer };
}

const TOO_LARGE = {
  message: `The manifest is larger than ${MAX_MANIFEST_BYTES} bytes.`,
  expected: `at most ${MAX_MANIFEST_BYTES} bytes`,
  got: 'more',
  hint: 'Keep data in files of its own.',
};
const NOT_UTF8 = {
  message: 'The manifest is not UTF-8.',
  expected: 'UTF-8 text',
  got: 'other bytes',
  hint: 'Save it as UTF-8.',
};

function definitionFrom(
  written: JsonValue,
  context: ManifestContext,
  problems: Problems,
): ServiceDefinition | undefined {
  const manifest = withNodeId(written, context.nodeId);
  if (!checkFormat(manifest, problems)) return undefined;
  checkNames(manifest, problems);
  if (problems.faults.length > 0) {
    checkSchemaAlone(manifest, problems);
    return undefined;
  }
  const { nodeId } = context;
  const serviceId = ownValue(manifest, 'service_id') as ServiceId;
  const state = (ownValue(manifest, 'state') ?? 'online') as string;
  const mounts = mountsFrom(manifest, { serviceId, nodeId, state }, problems);
  for (const conflict of findRootConflicts(
    mounts.map((mount) => ({ path: mount.mountPath, owner: mount.mountId })),
  ))
    problems.fault({
      path: ['mounts'],
      message: `${conflict.message}.`,
      expected: "a path that hides nothing of a service's own",
      got: JSON.stringify(conflict.second.path),
      hint: 'Choose another mount_path.',
    });
  const endpoints = endpointsFrom(manifest, mounts, { nodeId }, problems);
  const runtime = runtimeFromManifest(manifest, dirname(context.file), problems);
  const validate = checkSchema(manifest, problems);
  if (problems.faults.length > 0 || validate === undefined) return undefined;
  return finishDefinition({
    manifest,
    nodeId,
    source: context.file,
    serviceId,
    state,
    mounts,
    endpoints,
    runtime,
    invokeTemplate: templateOrFault(manifest, validate, problems),
  });
}

/** `{node_id}` in every string value becomes the node's id. Names of properties stay. */
export function withNodeId(value: JsonValue, nodeId: string): JsonValue {
  if (typeof value === 'string') return value.replaceAll('{node_id}', () => nodeId);
  if (Array.isArray(value))
    return copyWritten(
      value,
      (value as readonly JsonValue[]).map((item) => withNodeId(item, nodeId)),
    );
  if (!isJsonObject(value)) return value;
  return copyWritten(
    value,
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNodeId(item, nodeId)])),
  );
}

function checkNames(manifest: JsonObject, problems: Problems): void {
  for (const name of ['service_id', 'kind']) {
    const value = ownValue(manifest, name);
    if (typeof value !== 'string' || isId(value) || problems.faults.some((fault) => fault.path[0] === name))
      continue;
    const expected = '1 to 128 of the characters A-Z a-z 0-9 . _ -';
    const got = wordsFromValue(value);
    problems.fault({ path: [name], message: `"${name}" must be ${expected}; it is ${got}.`, expected, got });
  }
}

/** Where the format has faults, the schema is still looked at, so that everything is reported at once. */
function checkSchemaAlone(manifest: JsonObject, problems: Problems): void {
  if (!problems.faults.some((fault) => fault.path[0] === 'schema')) checkSchema(manifest, problems);
}

function unusableSchema(error: FsError): Problem {
  return {
    path: ['schema', 'input', ...pathFromPointer(error.path ?? '')],
    message: `schema.input cannot be used: ${error.message}`,
    expected: 'a JSON Schema (2020-12 or draft-07)',
    got: 'something else',
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

function checkSchema(manifest: JsonObject, problems: Problems): InputValidator | undefined {
  const schema = ownValue(manifest, 'schema');
  try {
    return compileInputSchema(isJsonObject(schema) ? ownValue(schema, 'input') : undefined);
  } catch (thrown) {
    if (!FsError.is(thrown)) throw thrown;
    problems.fault(unusableSchema(thrown));
    return undefined;
  }
}

/** A schema is compiled when a value is checked for the first time, which may show that it cannot be used. */
function templateOrFault(manifest: JsonObject, validate: InputValidator, problems: Problems): JsonObject {
  try {
    return templateFrom(manifest, validate, problems);
  } catch (thrown) {
    if (!FsError.is(thrown)) throw thrown;
    problems.fault(unusableSchema(thrown));
    return {};
  }
}

function templateFrom(manifest: JsonObject, validate: InputValidator, problems: Problems): JsonObject {
  const given = ownValue(manifest, 'invoke_template') as JsonObject | undefined;
  if (given !== undefined) {
    const fault = validate(given);
    if (fault !== null)
      problems.warn({
        path: ['invoke_template', ...pathFromPointer(fault.pointer)],
        message: `The template does not pass schema.input: ${fault.message}`,
        expected: fault.expected,
        got: fault.got,
        hint: 'Make invoke_template a request that works.',
      });
    return given;
  }
  const schema = ownValue(manifest, 'schema') as JsonObject | undefined;
  const input = schema === undefined ? undefined : ownValue(schema, 'input');
  const made = templateFromSchema(input, validate);
  if (made !== undefined) return made;
  problems.warn({
    path: ['schema', 'input'],
    message: 'No template could be made from schema.input.',
    expected: 'an invoke_template',
    got: 'none',
    hint: 'Add "invoke_template" with a request that works, or "examples" to the schema.',
  });
  return {};
}

function byPlace(a: ManifestFault, b: ManifestFault): number {
  return a.line - b.line || a.column - b.column;
}
