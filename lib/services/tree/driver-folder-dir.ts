import { principalOf } from '../../policy/index.js';
import type { DriverFolder } from '../../drivers/index.js';
import {
  CheckedDocument,
  ReadOnlyDir,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type Freshness,
  type Node,
  type Op,
  type Snapshot,
  type Stat,
} from '../../vfs/index.js';
import type { Service } from '../service.js';

/** The files of what runs a service, as a directory of the service: each is read when it is opened. */
export class DriverFolderDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #service: Service;
  /** By name; a name keeps its inode number as long as it is there. */
  readonly #nodes = new Map<string, Node>();

  constructor(service: Service) {
    super();
    this.#service = service;
  }

  stat(op: Op): Stat {
    this.#service.gate.require(op.session, 'observe');
    return dirStat(this.ino, nsFromMs(this.#folder?.changedAtMs ?? this.#service.definedAtMs));
  }

  lookup(name: string, op: Op): Node {
    this.#service.gate.require(op.session, 'observe');
    if (this.#folder?.entries().has(name) !== true) {
      this.#nodes.delete(name);
      throw noSuchEntry(name);
    }
    return this.#nodeOf(name);
  }

  list(op: Op): readonly DirEntry[] {
    this.#service.gate.require(op.session, 'observe');
    const names = [...(this.#folder?.entries().keys() ?? [])];
    return names.map((name) => entryOf(name, this.#nodeOf(name)));
  }

  get #folder(): DriverFolder | undefined {
    return this.#service.driver?.folder;
  }

  #nodeOf(name: string): Node {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      node = new CheckedDocument(
        (op) => this.#read(name, op),
        (op) => this.#service.gate.require(op.session, 'observe'),
        { freshness: 'live' },
      );
      this.#nodes.set(name, node);
    }
    return node;
  }

  async #read(name: string, { session, signal }: Op): Promise<Snapshot> {
    const file = this.#folder?.entries().get(name);
    if (file === undefined) throw noSuchEntry(name);
    const { role, agentId, project } = session;
    const caller = { role, agentId, projectId: project?.id ?? null, principal: principalOf(session) };
    const { bytes, changedAtMs } = await file.read(caller, signal);
    return { bytes, mtimeNs: nsFromMs(changedAtMs) };
  }
}
