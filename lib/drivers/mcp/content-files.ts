import type { ContentBlock } from '@modelcontextprotocol/client';
import { extensionOf, type JsonObject } from '../../core/index.js';
import type { ResultFile } from '../contract.js';

const MAX_NAME = 64;

/** The files that the parts of an answer become, numbered from 1, and how a result names each. */
export class ContentFiles {
  readonly all: ResultFile[] = [];
  #count = 0;

  describe(block: ContentBlock): JsonObject {
    this.#count++;
    switch (block.type) {
      case 'text':
        return this.#file('text', Buffer.from(block.text), 'text/plain', undefined);
      case 'image':
      case 'audio':
        return this.#file(block.type, Buffer.from(block.data, 'base64'), block.mimeType, undefined);
      case 'resource': {
        const { resource } = block;
        const isText = 'text' in resource;
        const bytes = isText ? Buffer.from(resource.text) : Buffer.from(resource.blob, 'base64');
        return this.#file('resource', bytes, resource.mimeType ?? (isText ? 'text/plain' : ''), resource.uri);
      }
      case 'resource_link': {
        const { uri, name, description, mimeType } = block;
        return {
          ...{ type: 'resource_link', uri, name },
          ...(description === undefined ? {} : { description }),
          ...(mimeType === undefined ? {} : { media_type: mimeType }),
        };
      }
    }
  }

  #file(type: string, bytes: Buffer, mediaType: string, uri: string | undefined): JsonObject {
    const name = fileName(this.#count, mediaType, uri);
    this.all.push({ name, bytes });
    return {
      ...{ type, file: `content/${name}`, size: bytes.length },
      ...(mediaType === '' ? {} : { media_type: mediaType }),
      ...(uri === undefined ? {} : { uri }),
    };
  }
}

/** `<n>.<what it is>`, or `<n>-<end of its address>`. */
function fileName(count: number, mediaType: string, uri: string | undefined): string {
  const last = uri
    ?.replace(/[?#].*$/s, '')
    .split('/')
    .at(-1)
    ?.replace(/[^A-Za-z0-9._-]+/g, '_')
    .slice(-MAX_NAME);
  const extension = extensionOf(mediaType) ?? 'bin';
  if (last === undefined || last === '') return `${count}.${extension}`;
  return `${count}-${last}${last.includes('.') ? '' : `.${extension}`}`;
}
