/** A directory to show, as `--export name=path[:ro|rw][:as=USER][:xdev]` says it. */
export interface ExportRequest {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** Whom remote callers act as, where the node is root: a name, `uid` or `uid:gid`. Null: the driver user, or nobody. */
  readonly as?: string | null;
  /** What is mounted below is shown too. */
  readonly crossMounts?: boolean;
}
