import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ReplicatedLog } from '../../../cluster/index.js';
import { FsError, silentLog, systemClock, type Clock, type Log } from '../../../core/index.js';
import { makePrivateDir } from '../../../disk/index.js';
import type { ControlDatabase } from '../database.js';
import { writeFirstTokens } from '../first-start.js';
import { FORMAT } from '../migrations.js';
import type { SharedState } from '../store.js';
import { Tokens } from '../tokens.js';
import { encodeEntry } from './entry.js';
import { catchUpCopy, newReplicaId, openCopy } from './open-copy.js';
import { Replica } from './replica.js';

/** What the store keeps of its own: made once, for all replicas. */
const SECRETS = ['cursor_key', 'audit_key', 'relay_key'];

export interface SharedOptions {
  readonly stateDir: string;
  readonly version: string;
  readonly clock?: Clock;
  readonly textLog?: Log;
  readonly leaseMs?: number;
}

/**
 * Opens the store as one of several replicas. Whoever comes first makes its secrets and the first tokens; of two who come at once, one
 * does.
 */
export async function openShared(
  log: ReplicatedLog,
  { stateDir, version, clock = systemClock, textLog = silentLog, leaseMs }: SharedOptions,
): Promise<SharedState> {
  makePrivateDir(stateDir);
  refuseOwnState(stateDir);
  const db = await openCopy(stateDir, log, textLog);
  try {
    const id = newReplicaId();
    await makeSecrets(db, log, { id, stateDir, clock });
    const self = { id, version, startedAtMs: clock.now() };
    const replica = new Replica({ db, log, self, textLog, ...(leaseMs === undefined ? {} : { leaseMs }) });
    return { db, replica };
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

async function makeSecrets(
  db: ControlDatabase,
  log: ReplicatedLog,
  { id, stateDir, clock }: { id: string; stateDir: string; clock: Clock },
): Promise<void> {
  const tokens = new Tokens(db, clock);
  let made: string | undefined;
  for (;;) {
    const { seq, id: before } = await catchUpCopy(db, log);
    // Of an append whose answer was lost it is known now what became of it.
    if (made !== undefined && tokens.get(made) !== undefined) return;
    if (made !== undefined)
      for (const role of ['admin', 'user']) rmSync(join(stateDir, `${role}.token`), { force: true });
    made = undefined;
    const { outcomes, changes } = db.attempt([
      () => {
        for (const name of SECRETS)
          db.run('INSERT INTO meta (key, value) VALUES (?,?) ON CONFLICT DO NOTHING', name, randomBytes(32));
        writeFirstTokens(db, tokens, stateDir);
        return tokens.list()[0]?.tokenId;
      },
    ]);
    const [outcome] = outcomes;
    if (outcome !== undefined && 'thrown' in outcome) throw outcome.thrown;
    if (changes.length === 0) return;
    if (changes.some(({ table }) => table === 'tokens')) made = outcome?.value as string;
    const data = encodeEntry({ after: before, replica: id, schema: FORMAT, changes });
    await log.append(seq, { id: randomUUID(), data });
  }
}

/** @throws FsError EEXIST where a control plane has its own database */
function refuseOwnState(stateDir: string): void {
  const path = join(stateDir, 'control.db');
  if (!existsSync(path)) return;
  throw new FsError('EEXIST', `${stateDir} has a control plane with a database of its own, ${path}.`, {
    hint: 'Bring it into the store first: acheron control import --store URL --from DIR. Or choose another --state-dir.',
    path,
  });
}
