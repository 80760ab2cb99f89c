import { Validator } from '@cfworker/json-schema';

/** What is wrong with a request, before it is sent; `at` is the JSON Pointer of the place, '' for the whole. */
export interface RequestFault {
  readonly at: string;
  readonly message: string;
}

export interface Looked {
  /** Undefined: it is no JSON object. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly faults: readonly RequestFault[];
}

/** Looks at a request as the node will. The node decides: a schema that this cannot read forbids nothing here. */
export function looksAt(text: string, schema: unknown): Looked {
  const looked = objectIn(text);
  if (looked.value === undefined) return looked;
  const { _key, ...checked } = looked.value;
  const faults = keyIsGood(_key)
    ? []
    : [{ at: '/_key', message: 'It must be 1 to 128 of A-Z a-z 0-9 . _ -' }];
  return { value: looked.value, faults: [...faults, ...faultsOf(checked, schema)] };
}

/** Looks at an object that is no request. */
export function objectFaults(text: string, schema: unknown): Looked {
  const looked = objectIn(text);
  return looked.value === undefined
    ? looked
    : { value: looked.value, faults: faultsOf(looked.value, schema) };
}

function objectIn(text: string): Looked {
  const none = (message: string): Looked => ({ value: undefined, faults: [{ at: '', message }] });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    return none(`It is not JSON: ${(thrown as Error).message}`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return none('It must be a JSON object.');
  return { value: value as Record<string, unknown>, faults: [] };
}

const keyIsGood = (key: unknown): boolean =>
  key === undefined || (typeof key === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(key));

function faultsOf(value: object, schema: unknown): RequestFault[] {
  if (schema === null || typeof schema !== 'object') return [];
  const draft = /draft-07/.test(String((schema as { $schema?: unknown }).$schema)) ? '7' : '2020-12';
  try {
    const { errors } = new Validator(schema, draft, false).validate(value);
    // Each keyword on the way repeats what the last of them says.
    return errors
      .filter(({ keyword }) => !SUMMARIES.has(keyword))
      .map(({ instanceLocation, error }) => ({ at: instanceLocation.replace(/^#/, ''), message: error }))
      .concat(errors.length > 0 && errors.every(({ keyword }) => SUMMARIES.has(keyword)) ? [UNFIT] : []);
  } catch {
    // The schema is in a dialect, or has a pattern, that this does not know; the node does.
    return [];
  }
}

const SUMMARIES = new Set(['properties', 'items', '$ref', 'additionalProperties']);
const UNFIT: RequestFault = { at: '', message: 'It does not fit the schema.' };
