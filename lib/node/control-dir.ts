import { documentFromJson, systemClock, type JsonObject } from '../core/index.js';
import { Document, MapDir, RenderedText, type DirNode, type Node } from '../vfs/index.js';
import type { AuditLog } from './audit-log.js';

/** What `/control` shows of a node that has no control plane, to admins. */
export interface ControlFacts {
  readonly nodeId: string;
  readonly audit: AuditLog;
  readonly diagnostics: () => JsonObject;
}

export function localControlDir({ nodeId, audit, diagnostics }: ControlFacts): DirNode {
  const text = new RenderedText();
  const reload = new Document(() => text.snapshot(documentFromJson(diagnostics()), systemClock.now()), {
    freshness: 'live',
  });
  const nodeDir = new MapDir(new Map<string, Node>([['reload.json', reload]]));
  const nodes = new MapDir(new Map<string, Node>([[nodeId, nodeDir]]));
  return new MapDir(new Map<string, Node>([['nodes', nodes]]), {
    current: new Map([['audit.ndjson', () => audit.file()]]),
  });
}
