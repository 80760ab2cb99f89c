import { randomBytes } from 'node:crypto';
import { FsError, isJsonObject, ownValue, type JsonValue } from '../../core/index.js';
import { solePlaceholder, templateFrom, type HttpBody, type HttpParameter } from '../../manifest/index.js';
import type { CallValues } from './call-values.js';
import { fillParameters, pairsOf } from './fill-parameters.js';
import { pairsText } from './percent-encode.js';

export interface FilledBody {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** The body of a call; null where there is none. @throws FsError EINVAL */
export function fillBody(body: HttpBody, values: CallValues): FilledBody | null {
  switch (body.kind) {
    case 'json': {
      const json = jsonOf(body.json, values);
      return json === undefined ? null : { contentType: body.contentType, bytes: Buffer.from(json) };
    }
    case 'form':
      return {
        contentType: 'application/x-www-form-urlencoded',
        bytes: Buffer.from(pairsText(fillParameters(body.fields, values), true)),
      };
    case 'multipart':
      return multipart(body.fields, values);
    case 'text': {
      const text = values.fieldOf(body.template);
      return text === undefined ? null : { contentType: body.contentType, bytes: Buffer.from(text) };
    }
    case 'base64': {
      const text = values.fieldOf(body.template);
      return text === undefined ? null : { contentType: body.contentType, bytes: bytesFrom(text) };
    }
  }
}

/** Exact JSON: a string that is one placeholder becomes the value itself, and goes with its member where there is none. */
function jsonOf(template: JsonValue, values: CallValues): string | undefined {
  if (typeof template === 'string') {
    const sole = solePlaceholder(template);
    return sole === undefined ? JSON.stringify(values.textOf(templateFrom(template))) : values.jsonOf(sole);
  }
  if (Array.isArray(template)) {
    const items = (template as readonly JsonValue[]).map((item) => jsonOf(item, values));
    return `[${items.filter((item) => item !== undefined).join(',')}]`;
  }
  if (!isJsonObject(template)) return JSON.stringify(template);
  const members = Object.entries(template).flatMap(([name, item]) => {
    const json = jsonOf(item, values);
    return json === undefined ? [] : [`${JSON.stringify(name)}:${json}`];
  });
  return `{${members.join(',')}}`;
}

/** A part with a file of the request: its name, type and content. */
interface Part {
  readonly name: string;
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly bytes: Buffer;
}

function multipart(fields: Readonly<Record<string, HttpParameter>>, values: CallValues): FilledBody {
  const parts = Object.entries(fields).flatMap(([name, field]) => partsOf(name, field, values));
  const boundary = `acheron-${randomBytes(18).toString('hex')}`;
  const chunks = parts.flatMap(({ name, filename, contentType, bytes }) => {
    const file = filename === null ? '' : `; filename="${quoted(filename)}"`;
    const type = contentType === null ? '' : `content-type: ${contentType}\r\n`;
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${quoted(name)}"${file}\r\n${type}\r\n`;
    return [Buffer.from(head), bytes, Buffer.from('\r\n')];
  });
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    bytes: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
  };
}

function partsOf(name: string, field: HttpParameter, values: CallValues): Part[] {
  const sole = solePlaceholder(field.value);
  const found = sole === undefined ? undefined : values.valueOf(sole)?.value;
  const list = Array.isArray(found) ? (found as readonly JsonValue[]) : [found];
  if (found !== undefined && list.every((item) => item !== undefined && isFile(item)))
    return list.map((item) => fileFrom(name, item as JsonValue));
  return pairsOf(name, field, values).map(([key, value]) => ({
    name: key,
    filename: null,
    contentType: null,
    bytes: Buffer.from(value),
  }));
}

function isFile(value: JsonValue): boolean {
  return isJsonObject(value) && ['base64', 'text'].some((name) => typeof ownValue(value, name) === 'string');
}

function fileFrom(name: string, value: JsonValue): Part {
  const text = (field: string): string | undefined => {
    const found = isJsonObject(value) ? ownValue(value, field) : undefined;
    return typeof found === 'string' ? found : undefined;
  };
  const base64 = text('base64');
  const contentType = text('content_type') ?? 'application/octet-stream';
  if (!/^[\x21-\x7e][\x20-\x7e]*$/.test(contentType))
    throw new FsError('EINVAL', `The content_type of ${JSON.stringify(name)} is none.`, {
      hint: 'Send one such as "image/png".',
    });
  return {
    name,
    filename: text('filename') ?? name,
    contentType,
    bytes: base64 === undefined ? Buffer.from(text('text') ?? '') : bytesFrom(base64),
  };
}

function bytesFrom(base64: string): Buffer {
  const clean = base64.replace(/\s+/g, '');
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(clean)) return Buffer.from(clean, 'base64');
  throw new FsError('EINVAL', 'The request contains text that should be base64, and is not.', {
    hint: 'Encode the bytes, say with: base64 -w0 FILE.',
  });
}

/** As browsers write names into a header: nothing in them ends the quotes or the line. */
function quoted(text: string): string {
  return text.replace(/[\r\n"]/g, (character) => percentOf(character)).replaceAll('\0', '%00');
}

function percentOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
