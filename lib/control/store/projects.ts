import {
  Emitter,
  FsError,
  idFrom,
  isJsonObject,
  type Clock,
  type JsonObject,
  type JsonValue,
} from '../../core/index.js';
import { policyFault } from '../../policy/index.js';
import type { ControlDatabase, Row } from './database.js';
import { mountsFromText, type ProjectMount } from './project-mounts.js';
import type { AppliedRows, Derived } from './replica/row-changes.js';
import { hashFromSecret, newSecret, secretMatches } from './secrets.js';

export interface ProjectRecord {
  readonly projectId: string;
  readonly name: string | null;
  readonly description: string | null;
  readonly vision: string | null;
  readonly status: string;
  readonly kind: string;
  /** It cannot be deleted as long as this is so. */
  readonly isDeleteProtected: boolean;
  /** What it mounts where, for programs that mount what a project says. They give nobody a right. */
  readonly mounts: readonly ProjectMount[];
  /** The nodes it names; a named node is reachable by users only through a project that names it. */
  readonly nodes: readonly string[];
  readonly accessPolicy: JsonObject | null;
  readonly hasToken: boolean;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** What an admin may set; what is absent stays as it is. */
export interface ProjectChange {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly vision?: string | null;
  readonly status?: string;
  readonly kind?: string;
  readonly isDeleteProtected?: boolean;
  readonly mounts?: readonly ProjectMount[];
  readonly nodes?: readonly string[];
  readonly accessPolicy?: JsonObject | null;
}

/** Projects, their policies and their tokens (hashed). Changed by admins alone; the caller has checked that. */
export class Projects implements Derived {
  /** The id of a project that was changed or deleted. */
  readonly changed = new Emitter<string>();
  /** The same, within the transaction that changes it. */
  readonly changing = new Emitter<string>();
  readonly #db: ControlDatabase;
  readonly #clock: Clock;
  readonly #records = new Map<string, ProjectRecord>();
  #byNode = new Map<string, string[]>();

  constructor(db: ControlDatabase, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
    this.#load();
  }

  applied(rows: AppliedRows): void {
    for (const { key } of rows.of('projects')) this.#reload(key[0] as string);
  }

  get(projectId: string): ProjectRecord | undefined {
    return this.#records.get(projectId);
  }

  list(): ProjectRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.projectId < b.projectId ? -1 : 1));
  }

  /** The projects that name this node, as `decide` asks. */
  naming(nodeId: string): readonly string[] {
    return this.#byNode.get(nodeId) ?? [];
  }

  /** The hash of the project's token, by which sessions prove that they knew it; null: it has none. */
  tokenHash(projectId: string): Buffer | null {
    const row = this.#db.get('SELECT token_hash FROM projects WHERE project_id = ?', projectId);
    return (row?.['token_hash'] ?? null) as Buffer | null;
  }

  /** The hash to remember as proof, or undefined when `token` is not the project's. */
  proofFrom(projectId: string, token: string): Buffer | undefined {
    const hash = this.tokenHash(projectId);
    return secretMatches(token, hash) && hash !== null ? hash : undefined;
  }

  /** @throws FsError EEXIST, EINVAL */
  create(
    projectId: string,
    change: ProjectChange,
    withToken: boolean,
  ): { record: ProjectRecord; token: string | null } {
    idFrom(projectId, 'The project id');
    checkPolicy(change);
    if (this.#records.has(projectId))
      throw new FsError('EEXIST', `There is a project "${projectId}" already.`);
    const token = withToken ? `acheron_project_${newSecret()}` : null;
    const now = this.#clock.now();
    this.#change(projectId, () => {
      this.#db.run(
        'INSERT INTO projects (project_id, nodes, token_hash, created_at_ms, updated_at_ms) VALUES (?,?,?,?,?)',
        projectId,
        '[]',
        token === null ? null : hashFromSecret(token),
        now,
        now,
      );
      this.#write(projectId, change);
    });
    return { record: this.require(projectId), token };
  }

  update(projectId: string, change: ProjectChange): ProjectRecord {
    this.require(projectId);
    checkPolicy(change);
    this.#change(projectId, () => this.#write(projectId, change));
    return this.require(projectId);
  }

  /** An id for a project that is called so: its name as far as an id can say it, with a number where that is taken. */
  freeId(name: string): string {
    const plain = name
      .toLowerCase()
      .replace(/[^a-z0-9._-]+/g, '-')
      .replace(/^[-.]+|[-.]+$/g, '')
      .slice(0, 100);
    const start = plain === '' ? 'project' : plain;
    for (let n = 1; ; n++) {
      const id = n === 1 ? start : `${start}-${n}`;
      if (!this.#records.has(id)) return id;
    }
  }

  /** @throws FsError ENOENT; EPERM while it is protected */
  delete(projectId: string): void {
    if (this.require(projectId).isDeleteProtected)
      throw new FsError('EPERM', `Project "${projectId}" is protected from being deleted.`, {
        hint: 'An admin takes that back first: project_update with is_delete_protected false.',
      });
    this.#change(projectId, () => this.#db.run('DELETE FROM projects WHERE project_id = ?', projectId));
  }

  /** A new token; sessions that proved the old one are no longer verified. */
  rotateToken(projectId: string): string {
    this.require(projectId);
    const token = `acheron_project_${newSecret()}`;
    this.#setToken(projectId, hashFromSecret(token));
    return token;
  }

  revokeToken(projectId: string): void {
    this.require(projectId);
    this.#setToken(projectId, null);
  }

  /** @throws FsError ENOENT */
  require(projectId: string): ProjectRecord {
    const record = this.#records.get(projectId);
    if (record === undefined) throw new FsError('ENOENT', `There is no project "${projectId}".`);
    return record;
  }

  #setToken(projectId: string, hash: Buffer | null): void {
    this.#change(projectId, () => {
      this.#db.run(
        'UPDATE projects SET token_hash = ?, updated_at_ms = ? WHERE project_id = ?',
        hash,
        this.#clock.now(),
        projectId,
      );
    });
  }

  #write(projectId: string, change: ProjectChange): void {
    const set = (column: string, value: string | number | null): void => {
      this.#db.run(`UPDATE projects SET ${column} = ? WHERE project_id = ?`, value, projectId);
    };
    if (change.name !== undefined) set('name', change.name);
    if (change.description !== undefined) set('description', change.description);
    if (change.vision !== undefined) set('vision', change.vision);
    if (change.status !== undefined) set('status', change.status);
    if (change.kind !== undefined) set('kind', change.kind);
    if (change.isDeleteProtected !== undefined) set('delete_protected', change.isDeleteProtected ? 1 : 0);
    if (change.mounts !== undefined) set('mounts', JSON.stringify(change.mounts));
    if (change.nodes !== undefined) set('nodes', JSON.stringify([...new Set(change.nodes)].sort()));
    if (change.accessPolicy !== undefined)
      set('access_policy', change.accessPolicy === null ? null : JSON.stringify(change.accessPolicy));
    this.#db.run('UPDATE projects SET updated_at_ms = ? WHERE project_id = ?', this.#clock.now(), projectId);
  }

  #change(projectId: string, work: () => void): void {
    this.#db.change(() => {
      work();
      this.#reload(projectId);
      this.changing.emit(projectId);
    });
  }

  /** Brings the copy in memory up to the row, and tells of it once that is on disk. */
  #reload(projectId: string): void {
    const before = this.#records.get(projectId);
    const row = this.#db.get('SELECT * FROM projects WHERE project_id = ?', projectId);
    this.#db.onRollback(() => this.#put(projectId, before));
    this.#put(projectId, row && recordFromRow(row));
    this.#db.afterChange(() => this.changed.emit(projectId));
  }

  #put(projectId: string, record: ProjectRecord | undefined): void {
    if (record === undefined) this.#records.delete(projectId);
    else this.#records.set(projectId, record);
    this.#index();
  }

  #load(): void {
    for (const row of this.#db.all('SELECT * FROM projects'))
      this.#records.set(row['project_id'] as string, recordFromRow(row));
    this.#index();
  }

  #index(): void {
    const byNode = new Map<string, string[]>();
    for (const { projectId, nodes } of this.#records.values()) {
      for (const nodeId of nodes) byNode.set(nodeId, [...(byNode.get(nodeId) ?? []), projectId]);
    }
    this.#byNode = byNode;
  }
}

/** @throws FsError EINVAL, naming what is wrong and where. */
function checkPolicy({ accessPolicy }: ProjectChange): void {
  const fault = accessPolicy == null ? undefined : policyFault(accessPolicy);
  if (fault === undefined) return;
  throw new FsError('EINVAL', `The policy is not valid: ${fault}.`, {
    hint: 'It looks like {"actions":{"invoke":"token"},"agents":{"AGENT":{"invoke":"open"}}}.',
  });
}

/** Stands for a policy that cannot be read: no mode is valid in it, so that it denies. */
const UNREADABLE: JsonObject = { actions: 'unreadable' };

function policyFromText(text: string | null): JsonObject | null {
  if (text === null) return null;
  try {
    const policy = JSON.parse(text) as JsonValue;
    return isJsonObject(policy) ? policy : UNREADABLE;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return UNREADABLE;
    throw thrown;
  }
}

function recordFromRow(row: Row): ProjectRecord {
  return {
    projectId: row['project_id'] as string,
    name: row['name'] as string | null,
    description: row['description'] as string | null,
    vision: row['vision'] as string | null,
    status: row['status'] as string,
    kind: row['kind'] as string,
    isDeleteProtected: row['delete_protected'] === 1,
    mounts: mountsFromText(row['mounts'] as string),
    nodes: JSON.parse(row['nodes'] as string) as string[],
    accessPolicy: policyFromText(row['access_policy'] as string | null),
    hasToken: row['token_hash'] !== null,
    createdAtMs: row['created_at_ms'] as number,
    updatedAtMs: row['updated_at_ms'] as number,
  };
}
