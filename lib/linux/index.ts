/**
 * Linux as numbers and layouts: error numbers, flags of open(2), types of files, bytes of names, the rights of a process, what /proc shows; and calls that take care. It imports
 * nothing of ours, so that `lib/fuse/kernel`, which stands by itself, may use it too. These are the numbers that x86
 * and Arm share, the same on whatever system this runs, since they are also what travels.
 */
export * from './byte-text.js';
export * from './effective-user.js';
export * from './errno.js';
export * from './file-type.js';
export * from './make-dirs.js';
export * from './open-flags.js';
export * from './proc-files.js';
export * from './process-alive.js';
export * from './search-path.js';
