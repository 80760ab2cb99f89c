import { readFileSync, rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import Database from 'libsql';

/** A thread of its own: copies a database as it is at one instant, and answers it compressed, with the place in the log that it is as of. */
const { from, to } = workerData as { readonly from: string; readonly to: string };

rmSync(to, { force: true });
const db = new Database(from, { readonly: true });
try {
  // It is of no use after a crash: commits of others on this disk are not to wait until all of it is written.
  db.exec('PRAGMA synchronous=OFF');
  db.prepare('VACUUM INTO ?').run(to);
} finally {
  db.close();
}
const copy = new Database(to, { readonly: true });
let place: { log_id: string; seq: number; entry_id: string };
try {
  place = copy.prepare('SELECT * FROM log_position').get([]) as typeof place;
} finally {
  copy.close();
}
const data = gzipSync(readFileSync(to), { level: 1 });
rmSync(to, { force: true });
parentPort?.postMessage({ logId: place.log_id, seq: place.seq, id: place.entry_id, data });
