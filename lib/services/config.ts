import { FsError, isJsonObject, type JsonObject } from '../core/index.js';

/** @throws FsError EINVAL for what is not one JSON object. */
export function configFrom(text: string): JsonObject {
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch (thrown) {
    throw new FsError('EINVAL', `The config is not valid JSON: ${(thrown as Error).message}.`, {
      hint: HINT,
    });
  }
  if (!isJsonObject(config)) throw new FsError('EINVAL', 'The config is not a JSON object.', { hint: HINT });
  return config;
}

const HINT = 'Nothing was changed. Write one JSON object.';
