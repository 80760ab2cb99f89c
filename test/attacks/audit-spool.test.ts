import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../lib/core/index.js';
import { NodeAuditLog } from '../../lib/node/node-audit-log.js';
import { temporaryDir } from '../support/test-node.js';

const LIMIT = 160 * 1024 * 1024;

t.test(
  'calls without end while the plane is away take no more disk than was said, and what went is on record',
  async (t) => {
    const dir = temporaryDir(t);
    let nowMs = 1_000_000;
    const audit = new NodeAuditLog(join(dir, 'audit.ndjson'), () => nowMs++, silentLog, LIMIT);
    t.teardown(() => audit.close());
    t.equal(audit.batch(), null, 'somebody is to have the records');
    const facts = { padding: 'x'.repeat(16_000) };
    const count = 16_000;
    let slowestMs = 0;
    for (let n = 0; n < count; n++) {
      const before = performance.now();
      audit.record({ by: null, act: 'invoke', serviceId: 's', outcome: 'ok', facts });
      slowestMs = Math.max(slowestMs, performance.now() - before);
    }
    const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
    t.ok(bytes < LIMIT + 20_000 && bytes > LIMIT / 4, `${bytes} B`);
    t.comment(`the slowest record took ${slowestMs.toFixed(1)} ms`);
    let [records, dropped, untilMs] = [0, 0, 0];
    for (let batch = audit.batch(); batch !== null; batch = audit.batch()) {
      for (const { act, removed, from_timestamp_ms: from, until_timestamp_ms: until } of batch.records) {
        if (act === 'invoke') records++;
        else {
          t.equal(act, 'audit_dropped');
          t.ok((from as number) > untilMs && (until as number) > (from as number), 'a span of its own');
          untilMs = until as number;
          dropped += removed as number;
        }
      }
      batch.taken();
    }
    t.ok(dropped > 0);
    t.equal(records + dropped, count, 'each record was sent, or is counted');
  },
);
