/**
 * What a machine needs to mount and to run services, examined: each finding says what is there or
 * missing, and how to mend it. Changes nothing.
 */
export * from './examine.js';
