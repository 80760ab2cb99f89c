/** What a key of an interface is: the value of a property, or a method. */
export type Kinds<Shape> = Readonly<Record<keyof Shape, 'value' | 'method'>>;

/** An object of that shape that remembers which of its methods were called. `answers` says what they answer. */
export function recorded<Shape extends object>(
  kinds: Kinds<Shape>,
  answers: Partial<Record<keyof Shape, unknown>>,
): { readonly inner: Shape; readonly called: Set<string> } {
  const called = new Set<string>();
  const inner = Object.fromEntries(
    Object.entries(kinds).map(([key, kind]) => {
      const answer = answers[key as keyof Shape];
      if (kind === 'value') return [key, answer];
      return [
        key,
        () => {
          called.add(key);
          return answer;
        },
      ];
    }),
  ) as Shape;
  return { inner, called };
}

export function keysOf<Shape>(kinds: Kinds<Shape>, kind: 'value' | 'method'): (keyof Shape & string)[] {
  return Object.entries(kinds)
    .filter(([, is]) => is === kind)
    .map(([key]) => key as keyof Shape & string);
}

/** Calls a method by its name, with as many arguments as any takes. */
export function call(object: object, key: string, argument: unknown): unknown {
  const method = (object as Record<string, unknown>)[key];
  if (typeof method !== 'function') throw new TypeError(`There is no method ${key}.`);
  return Reflect.apply(
    method,
    object,
    Array.from({ length: 6 }, () => argument),
  );
}
