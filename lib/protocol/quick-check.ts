import type * as z from 'zod';

type Test = (value: unknown) => boolean;

/** The parts of a zod definition that are looked at here. */
interface Definition {
  readonly type?: string;
  readonly check?: string;
  readonly format?: string;
  readonly checks?: readonly { readonly _zod: { readonly def: Definition } }[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly catchall?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly values?: readonly unknown[];
  readonly options?: readonly z.ZodType[];
  readonly fn?: Test;
  readonly pattern?: RegExp;
  readonly prefix?: string;
  readonly value?: number;
  readonly inclusive?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
}

const TESTS = new WeakMap<z.ZodType, Test>();

/**
 * True only where `schema.parse(value)` would answer an equal value: nothing missing, nothing to strip,
 * nothing to change. It is made from the schema itself, for what parsing costs on every frame. False says
 * nothing: ask the schema.
 */
export function quickCheck(schema: z.ZodType, value: unknown): boolean {
  let test = TESTS.get(schema);
  if (test === undefined) TESTS.set(schema, (test = testFrom(schema)));
  return test(value);
}

const never: Test = () => false;

function testFrom(schema: z.ZodType): Test {
  const definition = definitionOf(schema);
  const base = baseTest(definition);
  const checks = (definition.checks ?? []).map((check) => checkTest(check._zod.def));
  const [first, ...more] = checks;
  if (first === undefined) return base;
  if (more.length === 0) return (value) => base(value) && first(value);
  return (value) => base(value) && checks.every((check) => check(value));
}

function definitionOf(schema: z.ZodType): Definition {
  return schema._zod.def;
}

function baseTest(definition: Definition): Test {
  switch (definition.type) {
    case 'string':
      return definition.check === undefined ? (value) => typeof value === 'string' : never;
    case 'number':
      return definition.format === 'safeint' ? Number.isSafeInteger : never;
    case 'boolean':
      return (value) => value === true || value === false;
    case 'enum':
      return memberTest(Object.values(definition.entries ?? {}));
    case 'literal':
      return memberTest(definition.values ?? []);
    case 'optional':
      return orElse(undefined, definition.innerType);
    case 'nullable':
      return orElse(null, definition.innerType);
    case 'array':
      return arrayTest(definition.element);
    case 'union':
      return unionTest(definition.options ?? []);
    case 'custom':
      return definition.fn ?? never;
    case 'object':
      return objectTest(definition);
    default:
      return never;
  }
}

function checkTest({ check, fn, pattern, prefix, format, ...limits }: Definition): Test {
  const { value: bound = NaN, inclusive, minimum = NaN, maximum = NaN } = limits;
  switch (check) {
    case 'greater_than':
      return (value) => (inclusive === true ? (value as number) >= bound : (value as number) > bound);
    case 'min_length':
      return (value) => (value as string).length >= minimum;
    case 'max_length':
      return (value) => (value as string).length <= maximum;
    case 'string_format':
      if (format === 'starts_with' && prefix !== undefined)
        return (value) => (value as string).startsWith(prefix);
      return format === 'regex' && pattern?.flags === '' ? (value) => pattern.test(value as string) : never;
    case 'custom':
      return fn ?? never;
    default:
      return never;
  }
}

function memberTest(members: readonly unknown[]): Test {
  const known = new Set(members);
  return (value) => known.has(value);
}

function orElse(absent: null | undefined, inner: z.ZodType | undefined): Test {
  const test = inner === undefined ? never : testFrom(inner);
  return (value) => value === absent || test(value);
}

function arrayTest(element: z.ZodType | undefined): Test {
  const test = element === undefined ? never : testFrom(element);
  return (value) => Array.isArray(value) && value.every(test);
}

/** The first option that takes a value must also be the one that leaves it as it is. */
function unionTest(options: readonly z.ZodType[]): Test {
  const tests = options.map(testFrom);
  return (value) => typeof value !== 'object' && tests.some((test) => test(value));
}

function objectTest({ shape = {}, catchall }: Definition): Test {
  const fields = new Map(Object.entries(shape).map(([key, field]) => [key, testFrom(field)]));
  const required = [...fields].filter(([, test]) => !test(undefined)).map(([key]) => key);
  const isLoose = catchall !== undefined && definitionOf(catchall).type === 'unknown';
  if (catchall !== undefined && !isLoose) return never;
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    let found = 0;
    for (const key of Object.keys(value)) {
      const test = fields.get(key);
      if (test === undefined) {
        if (!isLoose || key === '__proto__') return false;
      } else {
        const field = (value as Record<string, unknown>)[key];
        if (field === undefined || !test(field)) return false;
        found++;
      }
    }
    return found >= required.length && required.every((key) => Object.hasOwn(value, key));
  };
}
