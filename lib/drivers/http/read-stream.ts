import { StringDecoder } from 'node:string_decoder';
import { headerOf, type HttpAnswer } from './http-answer.js';
import { lineJson } from './line-json.js';
import { decoded, tooLarge } from './read-body.js';
import { ServerEvents } from './server-events.js';

const NDJSON = /^application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines|x-json-stream|jsonlines)\s*(?:;|$)/i;
const SSE = /^text\/event-stream\s*(?:;|$)/i;

/** Whether an answer comes bit by bit, and how. */
export function streamKindOf({ headers }: HttpAnswer): 'ndjson' | 'sse' | null {
  const type = headerOf(headers, 'content-type') ?? '';
  if (NDJSON.test(type)) return 'ndjson';
  return SSE.test(type) ? 'sse' : null;
}

/**
 * Passes each line of NDJSON, and each event of a server as one line, on as it comes; answers `{"events", "last"}`.
 * @throws HttpFailure EIO where that is more than `maxBytes`
 */
export async function readStream(
  answer: HttpAnswer,
  kind: 'ndjson' | 'sse',
  maxBytes: number,
  onLine: (line: string) => void,
): Promise<string> {
  const decoder = new StringDecoder('utf8');
  let count = 0;
  let last = 'null';
  let size = 0;
  const hear = (json: string): void => {
    count++;
    last = json;
    onLine(`${json}\n`);
  };
  const lines = kind === 'sse' ? new ServerEvents(hear) : new NdjsonLines(hear);
  for await (const chunk of decoded(answer) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      answer.body.destroy();
      throw tooLarge(answer.host, maxBytes);
    }
    lines.take(decoder.write(chunk));
  }
  lines.take(decoder.end());
  lines.end();
  return `{"events":${count},"last":${last}}`;
}

/** Lines of JSON; a line that is none becomes a string. */
class NdjsonLines {
  readonly #hear: (json: string) => void;
  #rest = '';

  constructor(hear: (json: string) => void) {
    this.#hear = hear;
  }

  take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  end(): void {
    this.#line(this.#rest);
  }

  #line(line: string): void {
    const text = line.trim();
    if (text !== '') this.#hear(lineJson(text));
  }
}
