import type { FsError, JsonObject } from '../../core/index.js';
import type { Invocation, Outcome } from '../contract.js';

/** What a call asks of a server. */
export interface McpRequest {
  readonly kind: 'tool' | 'prompt' | 'template';
  readonly name: string;
  readonly args: JsonObject;
}

/** The contents of a resource. */
export interface ResourceText {
  readonly bytes: Uint8Array;
  readonly mediaType: string | null;
}

/** One conversation with a server; what speaks the protocol is behind it, and loaded when the first one begins. */
export interface McpSession {
  /** Resolves once it is over, with why; null where we ended it. */
  readonly ended: Promise<FsError | null>;
  /** The process that serves; null for one that is elsewhere. */
  readonly pid: number | null;
  /** What the server said last on stderr. */
  readonly stderrTail: string;
  /** Has answered a request. */
  readonly hasAnswered: boolean;
  /** What it offers: `tools`, `prompts`, `templates`, `resources`. */
  list(): Promise<JsonObject>;
  /** Runs a call; `signal` ends it, and what is thrown then says nothing. @throws FsError */
  run(request: McpRequest, call: Invocation, signal: AbortSignal): Promise<Outcome>;
  /** @throws FsError */
  read(uri: string, signal: AbortSignal): Promise<ResourceText>;
  /** Asks to be told of changes, where the server tells of any. */
  subscribe(uri: string): Promise<void>;
  /** After a call was abandoned: a server that does not answer within the grace is ended. */
  mustAnswer(): Promise<void>;
  close(): Promise<void>;
}

/** What becomes of a conversation. */
export interface SessionListener {
  /** What it offers may be other than it was. */
  listChanged(): void;
  resourceChanged(): void;
}
