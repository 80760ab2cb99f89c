import { join } from 'node:path';
import t from 'tap';
import { silentLog } from '../../lib/core/index.js';
import { NodeAuditLog } from '../../lib/node/node-audit-log.js';
import { LocalAudit } from '../../lib/planefs/local-audit.js';
import { until } from '../support/until.js';

const ACTS = 1000;

t.test(
  'a busy node hands over its records in parts, each once and in order, and calls come between',
  async (t) => {
    const audit = new NodeAuditLog(join(t.testdir(), 'audit.ndjson'), Date.now, silentLog);
    t.teardown(() => audit.close());
    const batches: string[][] = [];
    let isRefused = true;
    let turns = 0;
    const turn = setInterval(() => turns++, 0);
    t.teardown(() => clearInterval(turn));
    const turnsAtBatch: number[] = [];
    const local = new LocalAudit(
      audit,
      (records) => {
        if (isRefused) {
          isRefused = false;
          throw new Error('not now');
        }
        turnsAtBatch.push(turns);
        batches.push(records.map(({ act }) => act));
        for (const end = performance.now() + 5; performance.now() < end;);
      },
      silentLog,
    );
    t.teardown(() => local.close());
    const acts = Array.from({ length: ACTS }, (_, n) => `act-${n}`);
    for (const act of acts) audit.record({ by: null, act, serviceId: 's', outcome: 'ok' });
    await until(() => batches.length >= 2, 'two parts after one that was refused');
    t.ok(turnsAtBatch[1]! > turnsAtBatch[0]!, 'others had their turn between them');
    local.flush();
    t.strictSame(batches.flat(), acts);
    t.ok(batches.length > 2, `${batches.length} parts`);
  },
);
