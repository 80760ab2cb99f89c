/**
 * Files of state: locked, replaced as a whole, and kept aside when they are damaged. What is written here is either
 * the old or the new after a kill, and on the disk when the call returns. Some space is held in reserve for what must
 * be written though the disk is full.
 */
export { FileLock } from './file-lock.js';
export { stateFailure } from './state-failure.js';
export { DiskReserve, isNoSpace } from './disk-reserve.js';
export { replaceFile } from './replace-file.js';
export { makePrivateDir, requirePrivateDir } from './private-dir.js';
export { readGivenSecret } from './given-secret.js';
export { keepAside } from './keep-aside.js';
export { readOrMakeSecret } from './secret-file.js';
