import { FsError, isJsonObject, type JsonValue } from '../../core/index.js';
import { pathFromPointer, type HttpRuntime } from '../../manifest/index.js';
import { jsonTextAt } from '../json-text.js';
import { excerpt } from '../outcome.js';
import { headerOf, type HttpAnswer } from './http-answer.js';
import { HttpFailure } from './http-failure.js';

const JSON_TYPE = /^[\w.!#$&^-]+\/(?:[\w.!#$&^-]+\+)?json$/;
const TEXT_TYPE =
  /^text\/|^application\/(?:[\w.-]+\+)?(?:xml|yaml|x-yaml|javascript|x-www-form-urlencoded|graphql|toml)$/;

/** The exact JSON text that a body means: JSON as it is, text as `{"text"}`, anything else as `{"content_type", "base64"}`. */
export function documentFromBody(bytes: Buffer, answer: HttpAnswer, output: HttpRuntime['output']): string {
  const header = headerOf(answer.headers, 'content-type') ?? '';
  const [type = ''] = header.toLowerCase().split(';');
  const kind = output ?? kindOf(type.trim());
  if (bytes.length === 0 && output !== 'text') return '{}';
  if (kind === 'json') return jsonFrom(bytes, answer.host);
  if (kind === 'text') return JSON.stringify({ text: textFrom(bytes, header) });
  return JSON.stringify({ content_type: type.trim(), base64: bytes.toString('base64') });
}

function kindOf(type: string): 'json' | 'text' | 'bytes' {
  if (JSON_TYPE.test(type)) return 'json';
  return TEXT_TYPE.test(type) ? 'text' : 'bytes';
}

function jsonFrom(bytes: Buffer, host: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.trim() === '') return '{}';
    JSON.parse(text);
    return text;
  } catch (thrown) {
    throw new HttpFailure(
      new FsError('EIO', `${host} answered what should be JSON and is not: ${excerpt(bytes)}.`, {
        hint: 'Set "output": "text" in the manifest, if the answer is text.',
        cause: thrown,
      }),
    );
  }
}

function textFrom(bytes: Buffer, header: string): string {
  const charset = /charset="?([\w.:-]+)/i.exec(header)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    // A charset that nobody knows: most text is UTF-8.
    return bytes.toString('utf8');
  }
}

/** Status, headers and body as one document. */
export function fullDocument({ status, headers }: HttpAnswer, body: string): string {
  return `{"status":${status},"headers":${JSON.stringify(headers)},"body":${body}}`;
}

/** The parts of a document that a manifest wants. @throws HttpFailure where there is nothing at a pointer that is all of it */
export function mapped(json: string, result: JsonValue, host: string): string {
  if (result === null) return json;
  if (typeof result !== 'string') return partsOf(json, result);
  const found = jsonTextAt(json, pathFromPointer(result));
  if (found !== undefined) return found;
  throw new HttpFailure(
    new FsError(
      'EIO',
      `The answer of ${host} has nothing at ${JSON.stringify(result)}: it is ${excerpt(Buffer.from(json))}.`,
      {
        hint: 'Correct "result" in the manifest.',
      },
    ),
  );
}

/** What is not there is left out. */
function partsOf(json: string, result: JsonValue): string {
  if (!isJsonObject(result)) return 'null';
  const members = Object.entries(result).flatMap(([name, part]) => {
    const found = typeof part === 'string' ? jsonTextAt(json, pathFromPointer(part)) : partsOf(json, part);
    return found === undefined ? [] : [`${JSON.stringify(name)}:${found}`];
  });
  return `{${members.join(',')}}`;
}
