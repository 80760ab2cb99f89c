/**
 * Files of state: locked, replaced as a whole, and kept aside when they are damaged. What is written here is either
 * the old or the new after a kill, and on the disk when the call returns. Some space is held in reserve for what must
 * be written though the disk is full. Logs only grow: in segments of records (`log/`), or as lines that somebody else
 * is to have too. Archives are backups of state in one file, and what is in one
 * takes the place of a state as a whole.
 */
export { FileLock } from './file-lock.js';
export { stateFailure } from './state-failure.js';
export { DiskReserve, isNoSpace } from './disk-reserve.js';
export { replaceFile } from './replace-file.js';
export { makePrivateDir, requirePrivateDir } from './private-dir.js';
export { readGivenSecret } from './given-secret.js';
export { syncPath } from './sync-path.js';
export { readArchive, writeArchive } from './archive.js';
export { copyAsOf } from './copy-as-of.js';
export { newFilesIn, openStateDir, placeState } from './place-state.js';
export { makeWorkingDir, removeWorkingDirs } from './working-dir.js';
export { keepAside } from './keep-aside.js';
export { readOrMakeSecret } from './secret-file.js';
export { AuditQueueFile, DEFAULT_AUDIT_UNSENT_BYTES, type Dropped } from './audit-queue-file.js';
export { AppendFile } from './log/append-file.js';
export { readLogFacts, writeLogFacts, type LogFacts } from './log/log-facts.js';
export { recordAt, recordFrom, scanRecords, type LogRecord } from './log/log-record.js';
export { FORMAT as SEGMENT_FORMAT, pathOfSegment, segmentNumbers } from './log/replay-segments.js';
export { readExtent, type ByteStore, type Extent, type Segment } from './log/segment.js';
export { SegmentLog } from './log/segment-log.js';
export * from './socket-path.js';
export * from './state-dir.js';
