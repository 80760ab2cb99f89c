import { writeFileSync } from 'node:fs';
import { FsError, isJsonObject } from '../core/index.js';

/** Writes a result to a file: text and bytes as they are, everything else as JSON. @throws FsError as writing does */
export function writeResult(file: string, result: Buffer): void {
  try {
    writeFileSync(file, contentOf(result));
  } catch (thrown) {
    throw FsError.from(thrown);
  }
}

/** `{"text"}`, `{"base64"}` and `{"content_type", "base64"}` are how a result that is no JSON is written as some. */
function contentOf(result: Buffer): Buffer | string {
  let value: unknown;
  try {
    value = JSON.parse(result.toString());
  } catch {
    // Then it is as it came.
    return result;
  }
  if (!isJsonObject(value)) return result;
  const { text, base64, content_type: _type, ...more } = value;
  if (Object.keys(more).length > 0) return result;
  if (typeof base64 === 'string' && text === undefined) return Buffer.from(base64, 'base64');
  return typeof text === 'string' && base64 === undefined && _type === undefined ? text : result;
}
