import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NodeAuditLog } from '../../lib/node/node-audit-log.js';
import { silentLog, type Log } from '../../lib/core/index.js';
import { temporaryDir } from '../support/test-node.js';

t.test('an audit log that was emptied is reported at the start, one without a record is not', (t) => {
  const path = join(temporaryDir(t), 'audit.ndjson');
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const start = (): NodeAuditLog => new NodeAuditLog(path, Date.now, log);
  start().close();
  const second = start();
  t.same(warnings, [], 'nothing was recorded yet');
  second.record({ by: null, act: 'invoke', serviceId: 's', outcome: 'ok', facts: {} });
  second.close();
  start().close();
  t.same(warnings, [], 'what was recorded is there');
  truncateSync(path);
  start().close();
  t.match(warnings, [/missing or empty/]);
  t.end();
});
