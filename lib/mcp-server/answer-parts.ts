import { FsError, isJsonObject, mediaTypeOf, type JsonObject, type JsonValue } from '../core/index.js';
import type { ContentBlock } from '@modelcontextprotocol/server';
import { walk } from '../vfs/index.js';
import { readBytes, type SeenTree } from '../worldfs/index.js';
import { textOfBytes } from './text-of-bytes.js';

/** Of one answer so much is handed over; of what is beyond, the client is told where it is. */
const MAX_BYTES = 4 * 1024 * 1024;

/** What of an answer is no JSON, and is in files of its job. */
export interface AnswerParts {
  readonly blocks: readonly ContentBlock[];
  /** They are the whole answer: the JSON only names them. */
  readonly isAll: boolean;
}

/**
 * The parts of a job's answer, as its `content/` has them. A client of ours cannot open these files.
 */
export async function answerParts(
  tree: SeenTree,
  job: string,
  result: JsonValue,
  signal: AbortSignal,
): Promise<AnswerParts | undefined> {
  try {
    const named = namedParts(result);
    const parts = named ?? (await unnamedParts(tree, job, signal));
    const blocks: ContentBlock[] = [];
    let left = MAX_BYTES;
    for (const part of parts) {
      const { file, size } = part;
      if (typeof file !== 'string') blocks.push(linkFrom(part));
      else if (Number(size) > left) blocks.push(pointerTo(part, `${job}/${file}`));
      else {
        const bytes = await readBytes(tree, `${job}/${file}`, signal);
        left -= bytes.length;
        blocks.push(blockFrom(part, bytes));
      }
    }
    return blocks.length === 0 ? undefined : { blocks, isAll: named !== undefined };
  } catch (thrown) {
    // The job was pushed out by others, or a service of another kind only looks as if: its JSON is all there is.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(FsError.from(thrown).code)) return undefined;
    throw thrown;
  }
}

/** What the driver for MCP servers says of the parts; undefined for any other result. */
function namedParts(result: JsonValue): readonly JsonObject[] | undefined {
  const content = isJsonObject(result) ? result['content'] : undefined;
  if (!Array.isArray(content) || content.length === 0) return undefined;
  const parts = content.filter(isJsonObject);
  return parts.length === content.length && parts.every(isPart) ? parts : undefined;
}

/** The name is one that the driver gives: a server may say this itself, of any file. */
function isPart({ type, file, size, uri, name }: JsonObject): boolean {
  if (type === 'resource_link') return typeof uri === 'string' && typeof name === 'string';
  return typeof file === 'string' && /^content\/\d[^/]*$/.test(file) && typeof size === 'number';
}

/** Pictures and sounds beside structured content. */
async function unnamedParts(tree: SeenTree, job: string, signal: AbortSignal): Promise<JsonObject[]> {
  const op = tree.op(signal);
  const dir = await walk(tree.root, `${job}/content`, op);
  if (dir.kind !== 'dir') return [];
  const names = (await dir.list(op)).map(({ name }) => name);
  const parts: JsonObject[] = [];
  for (const name of names.sort((one, other) => parseInt(one, 10) - parseInt(other, 10))) {
    const mediaType = mediaTypeOf(name);
    const [, type] = /^(image|audio)\//.exec(mediaType ?? '') ?? [];
    if (mediaType === undefined || type === undefined) continue;
    const { size } = await (await walk(dir, name, op)).stat(op);
    parts.push({ type, file: `content/${name}`, media_type: mediaType, size });
  }
  return parts;
}

function blockFrom(part: JsonObject, bytes: Buffer): ContentBlock {
  const { type, uri } = part;
  const mimeType = textIn(part, 'media_type');
  if (type === 'image' || type === 'audio')
    return { type, data: bytes.toString('base64'), mimeType: mimeType ?? 'application/octet-stream' };
  const text = textOfBytes(bytes);
  if (type === 'text' && text !== undefined) return { type, text };
  return {
    type: 'resource',
    resource: {
      uri: typeof uri === 'string' ? uri : 'about:blank',
      ...(mimeType === undefined ? {} : { mimeType }),
      ...(text === undefined ? { blob: bytes.toString('base64') } : { text }),
    },
  };
}

function linkFrom(part: JsonObject): ContentBlock {
  const [description, mimeType] = [textIn(part, 'description'), textIn(part, 'media_type')];
  return {
    ...{ type: 'resource_link', uri: textIn(part, 'uri') ?? '', name: textIn(part, 'name') ?? '' },
    ...(description === undefined ? {} : { description }),
    ...(mimeType === undefined ? {} : { mimeType }),
  };
}

function pointerTo(part: JsonObject, path: string): ContentBlock {
  const what = textIn(part, 'media_type') ?? textIn(part, 'type') ?? 'Something';
  return {
    type: 'text',
    text: `${what} of ${JSON.stringify(part['size'])} bytes, which is ${path} in a mount.`,
  };
}

function textIn(part: JsonObject, name: string): string | undefined {
  const value = part[name];
  return typeof value === 'string' ? value : undefined;
}
