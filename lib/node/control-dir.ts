import { documentFromJson, systemClock, type JsonObject } from '../core/index.js';
import { Document, MapDir, StableSnapshot, type DirNode, type Node } from '../vfs/index.js';
import type { NodeAuditLog } from './node-audit-log.js';

/** What `/control` shows of a node that has no control plane, to admins. */
export interface ControlFacts {
  readonly nodeId: string;
  readonly audit: NodeAuditLog;
  readonly diagnostics: () => JsonObject;
  /** How the tree is mounted; absent where it is mounted elsewhere. */
  readonly mount?: () => JsonObject;
}

export function localControlDir({ nodeId, audit, diagnostics, mount }: ControlFacts): DirNode {
  const reload = liveDocument(diagnostics);
  const nodeDir = new MapDir(new Map<string, Node>([['reload.json', reload]]));
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
