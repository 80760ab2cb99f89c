/** A directory to show, as `--export name=path[:ro|rw][:as=USER][:map=USERS[@AGENTS]][:xdev]` says it. */
export interface ExportRequest {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** Whom remote callers act as, where the node is root: a name, `uid` or `uid:gid`. Null: the driver user, or nobody. */
  readonly as?: string | null;
  /** Whom they may ask to act as instead. Null: nobody. */
  readonly map?: UserMapRequest | null;
  /** What is mounted below is shown too. */
  readonly crossMounts?: boolean;
}

export interface UserMapRequest {
  /** Each a name, a uid, or `first-last`. */
  readonly users: readonly string[];
  /** Whose sessions may ask besides admins; `*`: all that may read the export. */
  readonly agents: readonly string[];
}
