import { FsError, isId, mediaTypeOf } from '../core/index.js';
import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  type McpServer,
  type ReadResourceResult,
  type Resource,
} from '@modelcontextprotocol/server';
import { namesOfPath, walk, type DirEntry, type Op } from '../vfs/index.js';
import { READ, openFile, targetOf, type SeenTree } from '../worldfs/index.js';
import { textOfBytes } from './text-of-bytes.js';

/** A file that is larger is read by its path, not as one answer. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Of a directory so many names are shown at a time. */
const MAX_NAMES = 1000;
const DIRECTORY = 'inode/directory';

export interface ResourceSelection {
  readonly node?: string | undefined;
}

/**
 * Exported directories as resources: `acheron://<node>/<export>/<path>`. What is listed is the exports and what lies at
 * their top; a directory is read as the list of what is in it.
 */
export function answerResources({ server }: McpServer, tree: SeenTree, { node }: ResourceSelection): void {
  server.setRequestHandler('resources/list', async () => ({ resources: await listed(tree, node) }));
  server.setRequestHandler('resources/templates/list', () => ({
    resourceTemplates: [
      {
        name: 'export',
        uriTemplate: 'acheron://{node}/{export}/{+path}',
        description: 'A file of an exported directory; of a directory, what is in it.',
      },
    ],
  }));
  server.setRequestHandler('resources/read', async ({ params: { uri } }, { mcpReq: { signal } }) => {
    const path = pathFrom(uri, node);
    if (path === undefined) throw new ResourceNotFoundError(uri);
    try {
      return await read(tree, uri, path, tree.op(signal));
    } catch (thrown) {
      const { code, sentence } = FsError.from(thrown);
      if (code === 'ENOENT' || code === 'ENOTDIR') throw new ResourceNotFoundError(uri);
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${code}: ${sentence}`);
    }
  });
}

async function listed(tree: SeenTree, only: string | undefined): Promise<Resource[]> {
  const op = tree.op();
  const resources: Resource[] = [];
  for (const nodeId of await names(await walk(tree.root, '/nodes', op), op)) {
    if (only !== undefined && only !== nodeId) continue;
    const exports = await entriesAt(tree, `/nodes/${nodeId}/fs`, op);
    for (const { name } of exports.filter(({ kind }) => kind === 'dir')) {
      const uri = uriOf([nodeId, name]);
      resources.push({ uri: `${uri}/`, name: `${nodeId}/${name}`, mimeType: DIRECTORY });
      const top = await entriesAt(tree, `/nodes/${nodeId}/fs/${name}`, op);
      resources.push(...top.slice(0, MAX_NAMES).map((entry) => resourceOf(uri, entry)));
      if (resources.length >= MAX_NAMES) return resources.slice(0, MAX_NAMES);
    }
  }
  return resources;
}

async function read(tree: SeenTree, uri: string, path: string, op: Op): Promise<ReadResourceResult> {
  const node = await walk(tree.root, await targetOf(tree, path), op);
  if (node.kind === 'dir') {
    const entries = (await node.list(op)).slice(0, MAX_NAMES);
    const lines = entries.map((entry) => JSON.stringify(resourceOf(uri.replace(/\/+$/, ''), entry)));
    return {
      contents: [{ uri, mimeType: 'application/x-ndjson', text: lines.map((line) => `${line}\n`).join('') }],
    };
  }
  const handle = await openFile(tree, path, READ);
  try {
    const { size } = await handle.stat(op);
    if (size > MAX_FILE_BYTES)
      throw new FsError('EFBIG', `It has ${size} bytes; at most ${MAX_FILE_BYTES} are read at once.`, {
        hint: `Read it by its path in a mount: ${path}`,
      });
    const bytes = await readUpTo(handle, size, op);
    const text = textOfBytes(bytes);
    const mimeType = mediaTypeOf(path) ?? (text === undefined ? 'application/octet-stream' : 'text/plain');
    const content = text === undefined ? { blob: Buffer.from(bytes).toString('base64') } : { text };
    return { contents: [{ uri, mimeType, ...content }] };
  } finally {
    await handle.release();
  }
}

async function readUpTo(
  handle: Awaited<ReturnType<typeof openFile>>,
  size: number,
  op: Op,
): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for (let at = 0; at < size;) {
    const bytes = await handle.read(at, size - at, op);
    if (bytes.length === 0) break;
    parts.push(Buffer.from(bytes));
    at += bytes.length;
  }
  return Buffer.concat(parts);
}

function resourceOf(parent: string, { name, kind }: DirEntry): Resource {
  const uri = `${parent}/${encodeURIComponent(name)}`;
  if (kind === 'dir') return { uri: `${uri}/`, name, mimeType: DIRECTORY };
  const mimeType = mediaTypeOf(name);
  return mimeType === undefined ? { uri, name } : { uri, name, mimeType };
}

const uriOf = ([node = '', ...path]: readonly string[]): string =>
  `acheron://${node}/${path.map(encodeURIComponent).join('/')}`;

/** The path in the tree; undefined for what names no export, or would lead out of it. */
function pathFrom(uri: string, only: string | undefined): string | undefined {
  const [, nodeId, rest = ''] = /^acheron:\/\/([^/?#]+)\/([^?#]*)$/.exec(uri) ?? [];
  if (!isId(nodeId) || (only !== undefined && only !== nodeId)) return undefined;
  try {
    const parts = rest
      .split('/')
      .filter((part) => part !== '')
      .map(decodeURIComponent);
    const isPlain = parts.every(
      (part) => !part.includes('/') && !part.includes('\0') && part !== '.' && part !== '..',
    );
    if (parts.length === 0 || !isPlain) return undefined;
    return `/nodes/${nodeId}/fs/${namesOfPath(parts.join('/')).join('/')}`;
  } catch {
    // It is not encoded as it should be.
    return undefined;
  }
}

async function names(node: Awaited<ReturnType<typeof walk>>, op: Op): Promise<string[]> {
  if (node.kind !== 'dir') return [];
  return (await node.list(op)).filter(({ kind }) => kind === 'dir').map(({ name }) => name);
}

/**
 * What is in a directory: nothing where there is none, or none that can be listed. One that fails must not hide the others;
 * who reads it is told why.
 */
async function entriesAt(tree: SeenTree, path: string, op: Op): Promise<readonly DirEntry[]> {
  try {
    const node = await walk(tree.root, path, op);
    return node.kind === 'dir' ? await node.list(op) : [];
  } catch (thrown) {
    if (FsError.is(thrown)) return [];
    throw thrown;
  }
}
