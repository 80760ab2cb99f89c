import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Teardown } from './test-node.js';

/** What stands for what the conformance suite takes for given, and cannot be told otherwise. */
export interface SuiteNames {
  /** The tools that it calls, as they are named here. */
  readonly tool: (name: string) => string;
  /** The addresses that it reads, as they are here. */
  readonly address: (uri: string) => string;
}

/** Between the suite and `/mcp`: adds the token, and has the names of one side for those of the other. */
export class SuiteProxy {
  readonly origin: string;
  readonly #names: SuiteNames;
  #target: { url: URL; token: string } | undefined;

  private constructor(port: number, names: SuiteNames) {
    this.origin = `http://127.0.0.1:${port}`;
    this.#names = names;
  }

  static async listen(t: Teardown, names: SuiteNames): Promise<SuiteProxy> {
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => proxy.#pass(request, Buffer.concat(parts).toString(), response));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new SuiteProxy((server.address() as AddressInfo).port, names);
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return proxy;
  }

  /** Everything goes there from now on. */
  passTo(url: URL, token: string): void {
    this.#target = { url, token };
  }

  #pass(request: IncomingMessage, said: string, response: ServerResponse): void {
    if (this.#target === undefined) return void response.writeHead(503).end();
    const { url, token } = this.#target;
    const body = this.#toUs(said);
    const { 'content-length': _length, ...headers } = request.headers;
    const length = body === '' ? {} : { 'content-length': Buffer.byteLength(body) };
    const passed = httpRequest(
      url,
      { method: request.method, headers: { ...headers, authorization: `Bearer ${token}`, ...length } },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        if (body.includes('"tools/list"')) void this.#toThem(answer, response);
        else answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    response.on('close', () => passed.destroy());
    passed.end(body);
  }

  #toUs(body: string): string {
    const { tool, address } = this.#names;
    return body.replace(/(?<="name":")test_\w+(?=")/, tool).replace(/(?<="uri":")test:[^"]+(?=")/, address);
  }

  /** One tool is looked for in the list. */
  async #toThem(answer: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    const name = 'json_schema_2020_12_tool';
    response.end(
      Buffer.concat(parts)
        .toString()
        .replaceAll(`"${this.#names.tool(name)}"`, `"${name}"`),
    );
  }
}
