import { lineJson } from './line-json.js';

/** Takes the text of a stream of server-sent events apart; each is heard as one line of JSON, `{"event", "id", "data"}`. */
export class ServerEvents {
  readonly #hear: (json: string) => void;
  #rest = '';
  #event = '';
  #id = '';
  #data: string[] = [];

  constructor(hear: (json: string) => void) {
    this.#hear = hear;
  }

  take(text: string): void {
    const whole = this.#rest + text;
    // A carriage return at the end may be half of a line break.
    const held = whole.endsWith('\r') ? 1 : 0;
    const lines = whole.slice(0, whole.length - held).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + whole.slice(whole.length - held);
    for (const line of lines) this.#line(line);
  }

  /** An event that is not whole is none, as the standard says; most servers mean it, and so it is heard. */
  end(): void {
    this.#line(this.#rest.replace(/\r$/, ''));
    this.#line('');
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return;
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id') this.#id = value;
  }

  #dispatch(): void {
    const data = this.#data;
    const event = this.#event;
    this.#data = [];
    this.#event = '';
    if (data.length === 0) return;
    const members = [
      ...(event === '' || event === 'message' ? [] : [`"event":${JSON.stringify(event)}`]),
      ...(this.#id === '' ? [] : [`"id":${JSON.stringify(this.#id)}`]),
      `"data":${lineJson(data.join('\n'))}`,
    ];
    this.#hear(`{${members.join(',')}}`);
  }
}
