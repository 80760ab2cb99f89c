import type { AuditSource, ControlPlane, InProcessNodeFacts, ReloadReportSource } from '../control/index.js';
import { FsError, type Emitter, type JsonObject, type Log, type Unsubscribe } from '../core/index.js';
import type { HistorySource } from '../services/index.js';
import type { Change, DirNode } from '../vfs/index.js';
import { LocalAudit } from './local-audit.js';

/** A node that runs in the process of the control plane. */
export interface LocalMember {
  /** Its id is its name. */
  readonly facts: InProcessNodeFacts;
  readonly dir: DirNode;
  readonly changes: Emitter<Change>;
  readonly audit: AuditSource;
  readonly reloads: ReloadReportSource;
  catalog(): { readonly services: readonly JsonObject[]; readonly reload: JsonObject };
  /** `changed` is called each time that `catalog` may have changed. */
  onCatalogChange(changed: () => void): Unsubscribe;
  /** The projects that name it, as of now. */
  setNodeProjects(projects: readonly string[]): void;
  /** What its services were is shown from there; null: from where the node itself keeps it. */
  setHistory(source: HistorySource | null): void;
}

export interface Membership {
  /** Takes in what it recorded, before its log is read. */
  flush(): void;
  end(): void;
}

/**
 * Makes a node of this process known as others are by their link: its catalog and its audit log, as they are
 * now and whenever they change.
 * @throws FsError EEXIST when a node at a distance has the name already
 */
export function joinLocally(control: ControlPlane, member: LocalMember, log: Log): Membership {
  const { audit, facts } = member;
  const node = control.attachInProcessNode(facts);
  const upsert = (): void => {
    const { services, reload } = member.catalog();
    node.upsert(services, reload);
  };
  upsert();
  member.setHistory(control.store.history);
  member.setNodeProjects(control.store.projects.naming(node.nodeId));
  const records = new LocalAudit(audit, (batch) => node.audit(batch), log);
  const report = (): void => {
    for (let next = member.reloads.next(); next !== null; next = member.reloads.next()) {
      node.report(next.report);
      next.taken();
    }
  };
  report();
  const stopReports = member.reloads.appended.on(() => {
    try {
      report();
    } catch (thrown) {
      log.warn('A report on a reload was not kept.', {
        node: node.nodeId,
        error: FsError.from(thrown).message,
      });
    }
  });
  const stopListening = member.onCatalogChange(() => {
    try {
      // What led to the change is sent before it.
      records.flush();
      upsert();
    } catch (thrown) {
      log.warn('The catalog was not updated.', { node: node.nodeId, error: FsError.from(thrown).message });
    }
  });
  return {
    flush: () => records.flush(),
    end: () => {
      stopListening();
      stopReports();
      member.setHistory(null);
      records.flush();
      records.close();
      if (control.store.nodes.get(node.nodeId) !== undefined) node.detach();
    },
  };
}
