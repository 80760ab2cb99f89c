/**
 * Who may do what: sessions, principals, and `decide`, the one pure function that answers. No I/O, no
 * state; nothing else in the program decides about access.
 */
export * from './decide.js';
export * from './policy-fault.js';
export * from './session.js';
