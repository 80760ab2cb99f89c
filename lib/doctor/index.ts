/**
 * What a machine needs to mount and to run services, checked: each finding says what is there or
 * missing, and how to mend it. Changes nothing; what it mounts to try is gone when it answers.
 */
export * from './diagnose.js';
