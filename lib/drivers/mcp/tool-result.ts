import type {
  CallToolResult,
  ContentBlock,
  GetPromptResult,
  ReadResourceResult,
} from '@modelcontextprotocol/client';
import { FsError, isJsonObject, type JsonObject, type JsonValue } from '../../core/index.js';
import type { Outcome, ResultFile } from '../contract.js';
import { failure } from '../outcome.js';
import { ContentFiles } from './content-files.js';

const MAX_ERROR_TEXT = 2_000;

/**
 * What a tool answered, as an outcome: its structured content as it is, else its text where that is JSON, else
 * `{"text":…}`. Where there is more than one text, each part is a file as well, and `content` names them.
 */
export function outcomeOfTool(result: CallToolResult): Outcome {
  const blocks = result.content;
  if (result.isError === true) return failure(toolError(textOf(blocks)));
  const files = new ContentFiles();
  const { structuredContent } = result;
  if (structuredContent !== undefined) {
    for (const block of blocks) if (block.type !== 'text') files.describe(block);
    return success(structuredContent as JsonValue, files.all);
  }
  const [only] = blocks;
  if (blocks.length === 0) return success({}, []);
  if (blocks.length === 1 && only?.type === 'text') return success(valueOfText(only.text), []);
  const content = blocks.map((block) => files.describe(block));
  const text = textOf(blocks);
  return success({ ...(text === '' ? {} : { text }), content }, files.all);
}

/** What a prompt gave: its messages, each with its content; what is no text there is in a file. */
export function outcomeOfPrompt({ description, messages }: GetPromptResult): Outcome {
  const files = new ContentFiles();
  const shown = messages.map(({ role, content }) => ({
    role,
    content: content.type === 'text' ? { type: 'text', text: content.text } : files.describe(content),
  }));
  return success({ ...(description === undefined ? {} : { description }), messages: shown }, files.all);
}

/** What is at an address: like the answer of a tool. */
export function outcomeOfResource({ contents }: ReadResourceResult): Outcome {
  const blocks = contents.map((resource): ContentBlock => ({ type: 'resource', resource }));
  const [only] = contents;
  if (contents.length === 1 && only !== undefined && 'text' in only)
    return success(valueOfText(only.text), []);
  const files = new ContentFiles();
  return success({ content: blocks.map((block) => files.describe(block)) }, files.all);
}

function success(result: JsonValue, files: readonly ResultFile[]): Outcome {
  return {
    ok: true,
    result: Buffer.from(JSON.stringify(result)),
    exitCode: null,
    ...(files.length === 0 ? {} : { files }),
  };
}

/** A text that is a JSON object or list is that; any other is wrapped. */
function valueOfText(text: string): JsonValue {
  if (/^\s*[[{]/.test(text))
    try {
      const value = JSON.parse(text) as JsonValue;
      if (isJsonObject(value) || Array.isArray(value)) return value;
    } catch {
      // It only looks like JSON.
    }
  return { text } satisfies JsonObject;
}

function textOf(blocks: readonly ContentBlock[]): string {
  return blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
}

function toolError(text: string): FsError {
  const said = text.trim() === '' ? 'nothing more' : text.trim();
  const shown = said.length <= MAX_ERROR_TEXT ? said : `${said.slice(0, MAX_ERROR_TEXT)}…`;
  return new FsError('EIO', `The tool reports: ${shown}`);
}
