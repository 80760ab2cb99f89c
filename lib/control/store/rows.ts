export type SqlValue = string | number | Buffer | null;
export type Row = Readonly<Record<string, SqlValue>>;

/** Rows of a database, read and written. */
export interface Rows {
  get(sql: string, ...values: SqlValue[]): Row | undefined;
  all(sql: string, ...values: SqlValue[]): Row[];
  /** Answers how many rows it changed. */
  run(sql: string, ...values: SqlValue[]): number;
  execute(sql: string): void;
}
