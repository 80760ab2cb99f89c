import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { FsError } from '../../core/index.js';
import { FileLock } from '../../disk/index.js';
import { writeSecretFile } from '../store/first-start.js';

/** Of `node.json`. */
export const NODE_FORMAT = 1;

const nodeState = z.object({
  format: z.literal(NODE_FORMAT),
  /** The release that reads this format, for earlier ones that do not. */
  needs: z.string().optional(),
  /** What the control plane gave; absent until paired. */
  credentials: z
    .object({
      node_id: z.string(),
      node_secret: z.string(),
      lease_token: z.string(),
      lease_expires_at_ms: z.number(),
    })
    .optional(),
  /** A request that waits for approval: a restart goes on with it. */
  request: z
    .object({ request_id: z.string(), request_secret: z.string(), verification_code: z.string() })
    .optional(),
});

export type NodeState = z.infer<typeof nodeState>;

/** A node's `--state-file`: mode 0600, replaced atomically, held by one process at a time. */
export class NodeStateFile {
  readonly path: string;
  readonly #lock: FileLock;
  #state: NodeState;

  /** @throws FsError EBUSY (another node uses it), EINVAL (not ours, or written by a newer release) */
  constructor(path: string) {
    const lock = FileLock.tryAcquire(`${path}.lock`);
    if (lock === undefined) {
      throw new FsError('EBUSY', `${path} is in use by another node.`, {
        hint: 'Stop the other one, or choose another --state-file.',
        path,
      });
    }
    this.path = path;
    this.#lock = lock;
    try {
      this.#state = readState(path);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  get state(): NodeState {
    return this.#state;
  }

  /** On disk when it returns. @throws FsError; what was written before stands then. */
  write(state: Omit<NodeState, 'format' | 'needs'>): void {
    const next: NodeState = { format: NODE_FORMAT, needs: '0.1.0', ...state };
    writeSecretFile(this.path, `${JSON.stringify(next, null, 2)}\n`);
    this.#state = next;
  }

  close(): void {
    this.#lock.release();
  }
}

function readState(path: string): NodeState {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return { format: NODE_FORMAT };
    throw FsError.from(thrown);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw notOurs(path, thrown);
  }
  const { format, needs } = (value ?? {}) as { format?: unknown; needs?: unknown };
  if (typeof format === 'number' && format > NODE_FORMAT) {
    throw new FsError('EINVAL', `${path} has format ${format}; this release reads up to ${NODE_FORMAT}.`, {
      hint: `Use Acheron ${typeof needs === 'string' ? needs : 'of a newer version'}. The file was left as it is.`,
      path,
    });
  }
  const parsed = nodeState.safeParse(value);
  if (!parsed.success) throw notOurs(path, parsed.error);
  return parsed.data;
}

function notOurs(path: string, cause: unknown): FsError {
  return new FsError('EINVAL', `${path} is not a node's state file.`, {
    hint: 'Choose another --state-file, or restore it from a backup.',
    path,
    cause,
  });
}
