import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../../core/index.js';

/** The form of a prompt: its arguments are texts. */
export function schemaOfPrompt(args: JsonValue | undefined): JsonObject {
  const list = Array.isArray(args) ? (args as readonly JsonValue[]).filter(isJsonObject) : [];
  const named = list.filter((argument) => typeof argument['name'] === 'string');
  return formOf(
    named.map((argument) => ({
      name: argument['name'] as string,
      description: textOf(argument, 'description'),
      isRequired: ownValue(argument, 'required') === true,
    })),
  );
}

const EXPRESSION = /\{([+#./;?&]?)([^{}]+)\}/g;

/** The form of a URI template (RFC 6570): its variables. */
export function schemaOfTemplate(uriTemplate: string): JsonObject {
  return formOf(
    [...uriTemplate.matchAll(EXPRESSION)].flatMap(([, operator, names = '']) =>
      names.split(',').map((name) => ({
        name: name.replace(/(\*|:\d+)$/, '').trim(),
        description: undefined,
        isRequired: operator !== '?' && operator !== '&',
      })),
    ),
  );
}

interface Field {
  readonly name: string;
  readonly description: string | undefined;
  readonly isRequired: boolean;
}

function formOf(fields: readonly Field[]): JsonObject {
  const required = fields.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(
      fields.map(({ name, description }) => [
        name,
        { type: 'string', ...(description === undefined ? {} : { description }) },
      ]),
    ),
    ...(required.length === 0 ? {} : { required: [...new Set(required)] }),
    additionalProperties: false,
  };
}

function textOf(value: JsonObject, name: string): string | undefined {
  const text = ownValue(value, name);
  return typeof text === 'string' ? text : undefined;
}
