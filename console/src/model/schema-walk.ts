/** A schema, or a part of one, as far as it is an object. */
export type SchemaPart = Readonly<Record<string, unknown>>;

/** A step into a JSON value: a member's name or an item's index. */
export type Step = string | number;

/** What an editor may offer for a member's name. */
export interface NameOffer {
  readonly name: string;
  readonly part: SchemaPart;
  readonly isRequired: boolean;
}

/** Schemas of one place, however many ways lead there: a recursive one does not go on for ever. */
const MAX_PARTS = 64;
const ALTERNATIVES = ['allOf', 'anyOf', 'oneOf'] as const;
const CONDITIONALS = ['then', 'else', 'if'] as const;

/** The parts of `schema` that speak of the value at `path`. */
export function partsAt(schema: unknown, path: readonly Step[]): readonly SchemaPart[] {
  let parts = spread([schema], schema);
  for (const step of path)
    parts = spread(
      parts.flatMap((part) => below(part, step)),
      schema,
    );
  return parts;
}

/** The members that an object with these schemas may have, required ones first. */
export function namesOf(parts: readonly SchemaPart[]): readonly NameOffer[] {
  const found = new Map<string, NameOffer>();
  for (const { properties, required } of parts) {
    const needed = Array.isArray(required) ? required : [];
    for (const [name, part] of Object.entries(objectOf(properties) ?? {}))
      if (!found.has(name))
        found.set(name, { name, part: objectOf(part) ?? {}, isRequired: needed.includes(name) });
  }
  return [...found.values()].sort((one, other) => Number(other.isRequired) - Number(one.isRequired));
}

/** The values that these schemas name, each once. */
export function valuesOf(parts: readonly SchemaPart[]): readonly unknown[] {
  const found = new Map<string, unknown>();
  for (const part of parts) for (const value of valuesIn(part)) found.set(JSON.stringify(value), value);
  return [...found.values()];
}

function valuesIn(part: SchemaPart): readonly unknown[] {
  const values: unknown[] = [];
  if (Array.isArray(part.enum)) values.push(...(part.enum as readonly unknown[]));
  if (Object.hasOwn(part, 'const')) values.push(part.const);
  if (Object.hasOwn(part, 'default')) values.push(part.default);
  if (Array.isArray(part.examples)) values.push(...(part.examples as readonly unknown[]));
  const types = typesOf(part);
  if (types.includes('boolean') && values.length < 2) values.push(true, false);
  if (types.includes('null')) values.push(null);
  return values;
}

export function typesOf({ type }: SchemaPart): readonly string[] {
  return (Array.isArray(type) ? type : [type]).filter((one) => typeof one === 'string');
}

/** With what each refers to and each alternative in it. */
function spread(given: readonly unknown[], root: unknown): SchemaPart[] {
  const seen = new Set<SchemaPart>();
  const wanted = [...given];
  for (let at = 0; at < wanted.length && seen.size < MAX_PARTS; at++) {
    const part = objectOf(wanted[at]);
    if (part === null || seen.has(part)) continue;
    seen.add(part);
    if (typeof part.$ref === 'string') wanted.push(referred(root, part.$ref));
    for (const name of ALTERNATIVES) if (Array.isArray(part[name])) wanted.push(...(part[name] as unknown[]));
    for (const name of CONDITIONALS) wanted.push(part[name]);
  }
  return [...seen];
}

function below(part: SchemaPart, step: Step): readonly unknown[] {
  if (typeof step === 'number') {
    const prefix = Array.isArray(part.prefixItems) ? (part.prefixItems as readonly unknown[]) : [];
    return [step < prefix.length ? prefix[step] : part.items];
  }
  const properties = objectOf(part.properties) ?? {};
  return [Object.hasOwn(properties, step) ? properties[step] : part.additionalProperties];
}

/** What a reference within the document leads to. */
function referred(root: unknown, ref: string): unknown {
  if (!ref.startsWith('#')) return undefined;
  let found = root;
  for (const piece of ref.slice(1).split('/').slice(1)) {
    const name = piece.replaceAll('~1', '/').replaceAll('~0', '~');
    const within = found as Readonly<Record<string, unknown>>;
    if (found === null || typeof found !== 'object' || !Object.hasOwn(within, name)) return undefined;
    found = within[name];
  }
  return found;
}

function objectOf(value: unknown): SchemaPart | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as SchemaPart) : null;
}
