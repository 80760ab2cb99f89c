import { documentFromJson, systemClock, type JsonObject } from '../core/index.js';
import { Document, MapDir, NumberedDir, StableSnapshot, type DirNode, type Node } from '../vfs/index.js';
import type { NodeReloads } from './history/node-reloads.js';
import type { NodeAuditLog } from './node-audit-log.js';

/** What `/control` shows of a node that has no control plane, to admins. */
export interface ControlFacts {
  readonly nodeId: string;
  readonly audit: NodeAuditLog;
  readonly diagnostics: () => JsonObject;
  readonly reloads: NodeReloads;
  /** `plan.json` */
  readonly plan: Node;
  /** How the tree is mounted; absent where it is mounted elsewhere. */
  readonly mount?: () => JsonObject;
}

export function localControlDir({ nodeId, audit, diagnostics, reloads, plan, mount }: ControlFacts): DirNode {
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
    ]),
  );
  const nodes = new MapDir(new Map<string, Node>([[nodeId, nodeDir]]));
  const entries = new Map<string, Node>([['nodes', nodes]]);
  if (mount !== undefined) entries.set('mount.json', liveDocument(mount));
  return new MapDir(entries, {
    current: new Map([['audit.ndjson', () => audit.file()]]),
  });
}

function liveDocument(facts: () => JsonObject): Document {
  const text = new StableSnapshot();
  return new Document(() => text.snapshot(documentFromJson(facts()), systemClock.now()), {
    freshness: 'live',
  });
}
