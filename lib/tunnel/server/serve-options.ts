import type { Log } from '../../core/index.js';
import type { Role, Session } from '../../policy/index.js';
import type { Awaitable, Op } from '../../vfs/index.js';
import type { CatalogSource } from './catalog-source.js';
import type { FileLocks } from './file-locks.js';
import type { ExportEntry } from './exports-of-tree.js';
import type { ServedName } from './handlers/index.js';

/** Whose requests come over the connection. */
export type SessionSource =
  /** The connection is one session; asked anew for each request. */
  | { readonly sessionOf: () => Session }
  /** The peer is a control plane: each request names its session, which the peer has pushed. */
  | {
      readonly relayed: {
        /** What a session may be at most (`--max-remote-role`). */
        readonly maxRole: Role;
        readonly onNodeFacts?: (facts: { readonly nodeProjects: readonly string[] }) => void;
        /** A session as the peer says it is; what is answered is how it is taken here, asked for each request. */
        readonly admit?: (session: Session) => () => Session;
        /** It will not be named again over this connection. */
        readonly onSessionEnd?: (id: string) => void;
      };
    };

/** How a peer is served that speaks for many sessions. */
export type Relayed = Extract<SessionSource, { readonly relayed: unknown }>['relayed'];

export type ServeOptions = SessionSource & {
  /** What `t_fs_exports` lists; by default what the public layout of the tree shows. */
  readonly exportsOf?: (op: Op) => Awaitable<readonly ExportEntry[]>;
  /** What `t_fs_catalog` answers, for this connection alone. */
  readonly catalog?: CatalogSource;
  /** Locks that connections to parts of one tree share; by default those of `vfs`. */
  readonly locks?: FileLocks;
  readonly log?: Log;
};

/** How a server tells its clients that it stops. */
export interface LeaveHow {
  readonly reason: string;
  /** Who goes elsewhere does so within this time, at a moment of its own. */
  readonly withinMs: number;
  /** Is given the end of each connection that its client will close by itself. */
  readonly waitFor: (closed: Promise<unknown>) => void;
}

/** What is answered only where the session sees the node. */
export const SHOWING: ReadonlySet<ServedName> = new Set<ServedName>([
  'lookup',
  'getattr',
  'readdirp',
  'open',
  'read',
]);
