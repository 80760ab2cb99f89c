import type { ControlStore, ProjectRecord } from '../control/index.js';
import { documentFromJson, type JsonObject } from '../core/index.js';
import type { Session } from '../policy/index.js';
import {
  Document,
  LiveSymlink,
  MapDir,
  ReadOnlyDir,
  StableSnapshots,
  dirStat,
  entryOf,
  newIno,
  noSuchEntry,
  nsFromMs,
  type DirEntry,
  type DirNode,
  type Freshness,
  type Node,
  type Op,
  type Stat,
} from '../vfs/index.js';

/** `/projects/`: the session's own project; for admins, all. */
export class ProjectsDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #store: ControlStore;
  readonly #dirs = new Map<string, DirNode>();
  readonly #startedAtMs: number;

  constructor(store: ControlStore) {
    super();
    this.#store = store;
    this.#startedAtMs = store.clock.now();
  }

  stat(): Stat {
    return dirStat(this.ino, nsFromMs(this.#startedAtMs));
  }

  lookup(name: string, op: Op): Node {
    const project = this.#store.projects.get(name);
    if (project === undefined || !sees(op.session, name)) throw noSuchEntry(name);
    return this.#dir(name);
  }

  list(op: Op): readonly DirEntry[] {
    return this.#store.projects
      .list()
      .filter(({ projectId }) => sees(op.session, projectId))
      .map(({ projectId }) => entryOf(projectId, this.#dir(projectId)));
  }

  #dir(projectId: string): DirNode {
    let dir = this.#dirs.get(projectId);
    if (dir === undefined) this.#dirs.set(projectId, (dir = projectDir(this.#store, projectId)));
    return dir;
  }
}

function sees(session: Session, projectId: string): boolean {
  return !session.revoked && (session.role === 'admin' || session.project?.id === projectId);
}

/** What a project contains, as links into `/nodes`. */
function projectDir(store: ControlStore, projectId: string): DirNode {
  const contents = new ProjectContents(store, projectId);
  const texts = new StableSnapshots();
  const description = new Document(
    ({ session }) => {
      const project = contents.require(session);
      return texts.snapshot(
        session,
        documentFromJson(describe(project, session)),
        project.updatedAtMs,
        store.clock.now(),
      );
    },
    { freshness: 'live' },
  );
  return new MapDir(
    new Map<string, Node>([
      ['PROJECT.json', description],
      ['nodes', new LinksDir((op) => contents.nodes(op.session))],
      ['services', new LinksDir((op) => contents.services(op.session))],
    ]),
    { check: (op) => void contents.require(op.session) },
  );
}

function describe(project: ProjectRecord, session: Session): JsonObject {
  return {
    project_id: project.projectId,
    name: project.name,
    description: project.description,
    nodes: [...project.nodes],
    has_token: project.hasToken,
    ...(session.role === 'admin' ? { access_policy: project.accessPolicy } : {}),
  };
}

/** Names and what they point to. */
type Links = ReadonlyMap<string, string>;

class ProjectContents {
  readonly #store: ControlStore;
  readonly #projectId: string;

  constructor(store: ControlStore, projectId: string) {
    this.#store = store;
    this.#projectId = projectId;
  }

  /** @throws FsError ENOENT where the session may not know of the project. */
  require(session: Session): ProjectRecord {
    const project = this.#store.projects.get(this.#projectId);
    if (project === undefined || !sees(session, this.#projectId)) throw noSuchEntry(this.#projectId);
    return project;
  }

  nodes(session: Session): Links {
    return new Map(this.#ids(session).map((id) => [id, `../../../nodes/${id}`]));
  }

  /** Each as `<service>@<node>`, because services of two nodes may have one name. */
  services(session: Session): Links {
    const links = new Map<string, string>();
    for (const id of this.#ids(session)) {
      for (const { serviceId } of this.#store.access.visibleServices(session, this.#store.nodes.require(id)))
        links.set(`${serviceId}@${id}`, `../../../nodes/${id}/services/${serviceId}`);
    }
    return links;
  }

  /** The nodes that the project names; where it names none, those that no project does. */
  #ids(session: Session): string[] {
    const { nodes: named } = this.require(session);
    const { nodes, access, projects } = this.#store;
    return nodes
      .list()
      .filter(({ nodeId }) =>
        named.length === 0 ? projects.naming(nodeId).length === 0 : named.includes(nodeId),
      )
      .filter((record) => access.seesNode(session, record))
      .map(({ nodeId }) => nodeId);
  }
}

/** A directory of links that come and go. */
class LinksDir extends ReadOnlyDir {
  readonly ino = newIno();
  override readonly freshness: Freshness = 'live';
  readonly #links: (op: Op) => Links;
  readonly #nodes = new Map<string, LiveSymlink>();
  readonly #madeNs = nsFromMs(Date.now());

  constructor(links: (op: Op) => Links) {
    super();
    this.#links = links;
  }

  stat(op: Op): Stat {
    this.#links(op);
    return dirStat(this.ino, this.#madeNs);
  }

  lookup(name: string, op: Op): Node {
    if (!this.#links(op).has(name)) throw noSuchEntry(name);
    return this.#node(name);
  }

  list(op: Op): readonly DirEntry[] {
    return [...this.#links(op).keys()].map((name) => entryOf(name, this.#node(name)));
  }

  #node(name: string): LiveSymlink {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      node = new LiveSymlink((op) => {
        const target = this.#links(op).get(name);
        if (target === undefined) throw noSuchEntry(name);
        return { target, timeNs: this.#madeNs };
      });
      this.#nodes.set(name, node);
    }
    return node;
  }
}
