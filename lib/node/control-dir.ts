import { documentFromJson, systemClock, type JsonObject, type LogLevelControl } from '../core/index.js';
import { logLevelFile, ownerOf } from '../services/index.js';
import {
  Document,
  MapDir,
  NumberedDir,
  StableSnapshot,
  noSuchEntry,
  type DirNode,
  type Node,
} from '../vfs/index.js';
import type { NodeReloads } from './history/node-reloads.js';
import type { NodeAuditLog } from './node-audit-log.js';

/** Of what concerns the node and no service of it. */
const NO_SERVICE = '-';

/** What `/control` shows of a node that has no control plane, to admins. */
export interface ControlFacts {
  readonly nodeId: string;
  readonly audit: NodeAuditLog;
  readonly diagnostics: () => JsonObject;
  readonly reloads: NodeReloads;
  /** `plan.json` */
  readonly plan: Node;
  /** `metrics` */
  readonly metrics: Node;
  /** How the tree is mounted; absent where it is mounted elsewhere. */
  readonly mount?: () => JsonObject;
  /** How much the process logs. */
  readonly logLevel?: LogLevelControl;
}

export function localControlDir({
  nodeId,
  audit,
  diagnostics,
  reloads,
  plan,
  metrics,
  mount,
  logLevel,
}: ControlFacts): DirNode {
  const reload = liveDocument(diagnostics);
  const reports = new NumberedDir(
    {
      numbers: () => reloads.numbers(),
      render: (n) => {
        const record = reloads.get(n);
        return record === undefined ? undefined : documentFromJson({ node_id: nodeId, n, ...record });
      },
    },
    () => undefined,
  );
  const nodeDir = new MapDir(
    new Map<string, Node>([
      ['reload.json', reload],
      ['reloads', reports],
      ['plan.json', plan],
      ['metrics', metrics],
    ]),
  );
  const nodes = new MapDir(new Map<string, Node>([[nodeId, nodeDir]]));
  const entries = new Map<string, Node>([['nodes', nodes]]);
  if (logLevel !== undefined) entries.set('log_level.json', logLevelNode(logLevel, audit));
  if (mount !== undefined) entries.set('mount.json', liveDocument(mount));
  return new MapDir(entries, {
    current: new Map([['audit.ndjson', () => audit.file()]]),
  });
}

/** For admins alone, as all of `/control` of a mount. */
function logLevelNode(level: LogLevelControl, audit: NodeAuditLog): Node {
  return logLevelFile({
    level,
    check: ({ session }) => {
      if (session.role !== 'admin' || session.revoked) throw noSuchEntry('log_level.json');
    },
    record: ({ session }, wanted) =>
      audit.record({
        by: ownerOf(session),
        act: 'control/log_level',
        serviceId: NO_SERVICE,
        outcome: 'ok',
        facts: { level: wanted },
      }),
  });
}

function liveDocument(facts: () => JsonObject): Document {
  const text = new StableSnapshot();
  return new Document(() => text.snapshot(documentFromJson(facts()), systemClock.now()), {
    freshness: 'live',
  });
}
