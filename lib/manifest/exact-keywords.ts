import { createRequire } from 'node:module';
import type { Ajv, FuncKeywordDefinition, KeywordErrorDefinition } from 'ajv';
import type { DataValidationCxt } from 'ajv/dist/types/index.js';
import {
  compareDecimals,
  decimalOf,
  exactTextOf,
  isMultipleOfDecimal,
  isWhole,
  writtenNumber,
  type Decimal,
  type JsonValue,
} from '../core/index.js';

const require = createRequire(import.meta.url);

/** Whether a number stands to the limit as the keyword demands, by what comparing them gave. */
const LIMITS = {
  maximum: (order: number) => order <= 0,
  minimum: (order: number) => order >= 0,
  exclusiveMaximum: (order: number) => order < 0,
  exclusiveMinimum: (order: number) => order > 0,
};
const SIGNS = { maximum: '<=', minimum: '>=', exclusiveMaximum: '<', exclusiveMinimum: '>' };

/** Keywords whose outcome can turn on what a double does not hold, beside `type` where it says `integer`. */
export const NUMERIC_KEYWORDS = [...Object.keys(LIMITS), 'multipleOf', 'const', 'enum', 'uniqueItems'];

/** Lets `ajv` judge numbers by what was written, of the schema and of the values, as `parseExactly` has kept it. */
export function addExactKeywords(ajv: Ajv): void {
  const { _ } = require('ajv') as typeof import('ajv');
  const errors = (
    params: NonNullable<KeywordErrorDefinition['params']>,
  ): { error: KeywordErrorDefinition } => ({
    error: { message: ({ keyword }) => `must satisfy ${keyword}`, params },
  });
  const definitions: FuncKeywordDefinition[] = [
    ...Object.keys(LIMITS).map((keyword) => limitOf(keyword as keyof typeof LIMITS)),
    MULTIPLE_OF,
    UNIQUE_ITEMS,
    { ...INTEGER, ...errors(({ schemaCode }) => _`{type: ${schemaCode}}`) },
    { ...CONST, ...errors(({ schemaCode }) => _`{allowedValue: ${schemaCode}}`) },
    { ...ENUM, ...errors(({ schemaCode }) => _`{allowedValues: ${schemaCode}}`) },
  ];
  for (const definition of definitions) {
    ajv.removeKeyword(definition.keyword as string);
    ajv.addKeyword(definition);
  }

  function limitOf(keyword: keyof typeof LIMITS): FuncKeywordDefinition {
    return {
      keyword,
      type: 'number',
      schemaType: 'number',
      ...errors(({ schemaCode }) => _`{comparison: ${SIGNS[keyword]}, limit: ${schemaCode}}`),
      compile(limit: number, parentSchema: object) {
        const exact = decimalOf(parentSchema, keyword, limit);
        const isMet = LIMITS[keyword];
        return (value: number, context?: DataValidationCxt) => {
          // Where doubles differ, the numbers do so the same way.
          const order = value === limit ? compareDecimals(decimalAt(value, context), exact) : value - limit;
          return isMet(order);
        };
      },
    };
  }
}

function decimalAt(value: number, context: DataValidationCxt | undefined): Decimal {
  return decimalOf(context?.parentData, context?.parentDataProperty ?? '', value);
}

const MULTIPLE_OF: FuncKeywordDefinition = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  compile(divisor: number, parentSchema: object) {
    const exact = decimalOf(parentSchema, 'multipleOf', divisor);
    return (value: number, context?: DataValidationCxt) =>
      isMultipleOfDecimal(decimalAt(value, context), exact);
  },
};

/** What ajv has taken for an integer by its double. */
const INTEGER: FuncKeywordDefinition = {
  keyword: 'type',
  type: 'number',
  schemaType: ['string', 'array'],
  compile(type: string | readonly string[]) {
    const types = [type].flat();
    if (types.includes('number') || !types.includes('integer')) return () => true;
    return (value: number, context?: DataValidationCxt) =>
      writtenNumber(context?.parentData, context?.parentDataProperty ?? '') === undefined ||
      isWhole(decimalAt(value, context));
  },
};

const textAt = (value: unknown, context: DataValidationCxt | undefined): string =>
  exactTextOf(value, context?.parentData, context?.parentDataProperty ?? '');

const CONST: FuncKeywordDefinition = {
  keyword: 'const',
  compile(wanted: JsonValue, parentSchema: object) {
    const text = exactTextOf(wanted, parentSchema, 'const');
    return (value: unknown, context?: DataValidationCxt) => textAt(value, context) === text;
  },
};

const ENUM: FuncKeywordDefinition = {
  keyword: 'enum',
  schemaType: 'array',
  compile(wanted: readonly JsonValue[]) {
    const texts = new Set(wanted.map((item, at) => exactTextOf(item, wanted, at)));
    return (value: unknown, context?: DataValidationCxt) => texts.has(textAt(value, context));
  },
};

const UNIQUE_ITEMS: FuncKeywordDefinition = {
  keyword: 'uniqueItems',
  type: 'array',
  schemaType: 'boolean',
  compile: (isWanted: boolean) => (items: readonly unknown[]) =>
    !isWanted || new Set(items.map((item, at) => exactTextOf(item, items, at))).size === items.length,
};
