import {
  deserializeMessage,
  isJSONRPCNotification,
  type JSONRPCMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import type { Surroundings } from '../native-proc/call-process.js';
import type { Command } from '../native-proc/command.js';
import { FrameProcess } from '../native-proc/frame-process.js';
import type { ProcessExit } from '../native-proc/process-group.js';

/** Microtasks that pass until a notification is taken. */
const NOTIFICATION_TURNS = 4;

export interface StdioOptions {
  readonly command: Command;
  /** A message beyond this ends the server: whoever sends it wants our memory. */
  readonly maxMessageBytes: number;
  readonly killGraceMs: number;
  readonly around: Surroundings;
  /** What it says to people. */
  readonly onStderr: (chunk: Buffer) => void;
}

/** How a server's process ended. */
export interface StdioEnd {
  readonly exit: ProcessExit | null;
  /** Why it could not be started. */
  readonly error: NodeJS.ErrnoException | null;
  /** It was ended as it sent too large a message. */
  readonly hasOverflown: boolean;
}

/** An MCP server as a process of ours: a group of its own, with the limits, user and ledger that drivers have. */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: Transport['onmessage'];
  /** By this and `pid` the SDK knows a transport over pipes. */
  readonly stderr = null;
  /** Resolves once its group is gone and all that it said was heard. */
  readonly ended: Promise<StdioEnd>;
  readonly #options: StdioOptions;
  #process: FrameProcess | null = null;
  #hasOverflown = false;
  readonly #inbox: JSONRPCMessage[] = [];
  #isDelivering = false;
  #over!: (end: StdioEnd) => void;

  constructor(options: StdioOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#over = resolve));
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  start(): Promise<void> {
    const { command, maxMessageBytes, around, onStderr } = this.#options;
    this.#process = new FrameProcess(
      command,
      maxMessageBytes,
      {
        onLine: (line) => this.#hear(line),
        onStderr,
        onOverflow: () => {
          this.#hasOverflown = true;
          this.kill();
        },
        onEnd: (exit, error) => {
          this.#over({ exit, error, hasOverflown: this.#hasOverflown });
          this.onclose?.();
        },
      },
      around,
    );
    return Promise.resolve();
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.#process?.send(JSON.stringify(message));
    return Promise.resolve();
  }

  /** End of file on its stdin, then SIGTERM, then SIGKILL; resolves when it is gone. */
  async close(): Promise<void> {
    if (this.#process === null) {
      this.#over({ exit: null, error: null, hasOverflown: false });
      return;
    }
    this.#process.stop(this.#options.killGraceMs);
    await this.ended;
  }

  /** SIGTERM, then SIGKILL. */
  terminate(): void {
    this.#process?.terminate(this.#options.killGraceMs);
  }

  kill(): void {
    this.#process?.kill();
  }

  /** What is no message is for people: many a server prints on stdout what belongs on stderr. */
  #hear(line: Buffer): void {
    let message: JSONRPCMessage;
    try {
      message = deserializeMessage(line.toString('utf8'));
    } catch {
      return this.#options.onStderr(Buffer.concat([line, Buffer.from('\n')]));
    }
    this.#inbox.push(message);
    if (!this.#isDelivering) void this.#deliver();
  }

  /**
   * In their order. The SDK takes a notification in a turn of its own, so that an answer that came with it would be
   * before it; it gets that turn here, still before anything more is heard.
   */
  async #deliver(): Promise<void> {
    this.#isDelivering = true;
    for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
      this.onmessage?.(message);
      if (isJSONRPCNotification(message))
        for (let turn = 0; turn < NOTIFICATION_TURNS; turn++) await Promise.resolve();
    }
    this.#isDelivering = false;
  }
}
