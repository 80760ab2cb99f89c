/**
 * What a machine needs to mount and to run services, checked: each finding says what is there or
 * missing, and how to mend it. Changes nothing; what it mounts to try is gone when it answers, and what may hang
 * is asked by another process, for a bounded time.
 */
export * from './diagnose.js';
export { finding, type Finding } from './finding.js';
export { endOf } from './secrets.js';
