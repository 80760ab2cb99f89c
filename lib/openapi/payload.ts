import type { JsonObject, JsonValue } from '../core/index.js';

/** The request of a service as it grows: a property for each value, and the placeholder that stands for it. */
export class Payload {
  readonly properties: Record<string, JsonValue> = {};
  readonly required: string[] = [];
  /** Values that the document gives as examples. */
  readonly examples: Record<string, JsonValue> = {};

  /** Adds a value; answers the name that its property has, which no other has. */
  add(
    name: string,
    {
      schema,
      required,
      example,
      place,
    }: {
      readonly schema: JsonValue;
      readonly required: boolean;
      readonly example: JsonValue | undefined;
      readonly place: string;
    },
  ): string {
    const base = name.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^_+|_+$/g, '') || place;
    let property = base;
    for (let n = 1; Object.hasOwn(this.properties, property) || property === '_key'; n++)
      property = n === 1 ? `${base}_${place}` : `${base}_${place}_${n}`;
    this.properties[property] = schema;
    if (required) this.required.push(property);
    if (example !== undefined) this.examples[property] = example;
    return property;
  }

  schema(defs: ReadonlyMap<string, JsonValue>): JsonObject {
    return {
      type: 'object',
      ...(this.required.length === 0 ? {} : { required: this.required }),
      properties: this.properties,
      additionalProperties: false,
      ...(defs.size === 0 ? {} : { $defs: Object.fromEntries(defs) }),
    };
  }
}

/** A description beside a schema, which may be a reference. */
export function described(schema: JsonValue, description: string | undefined): JsonValue {
  if (description === undefined || typeof schema !== 'object' || schema === null || Array.isArray(schema))
    return schema;
  return { ...(schema as JsonObject), description };
}
