import type { FsError } from '../../core/index.js';
import type { Invocation } from '../contract.js';
import { StderrShare } from '../native-proc/stderr-share.js';

/** What a conversation knows of its other side, be it a process or a server elsewhere. */
export interface Conversation {
  readonly pid: number | null;
  /** The calls under way. */
  readonly calls: Set<Invocation>;
  readonly stderr: StderrShare;
  /** Resolves once it is over, with why. */
  readonly ended: Promise<FsError>;
  /** The other side does not answer: it is given up, without waiting for it. */
  abandon(): void;
}

/** Passes on what a server says to people to the calls that it is about. */
export function hear({ stderr, calls }: Pick<Conversation, 'stderr' | 'calls'>, text: string | Buffer): void {
  stderr.take(typeof text === 'string' ? Buffer.from(text) : text, [...calls]);
}
