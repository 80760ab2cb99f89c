/**
 * How messages get from one peer to another: one interface, `Transport`, with an in-memory pair and
 * WebSockets behind it, and a `Reconnector` that keeps one alive. Nothing here looks into a message.
 */
export * from './channel-link.js';
export * from './fair-transport.js';
export * from './fair-turns.js';
export * from './forwarding-transport.js';
export * from './log-connection.js';
export * from './memory-transport.js';
export * from './reconnector.js';
export * from './server-addresses.js';
export * from './transport.js';
export * from './ws-acceptor.js';
export * from './ws-client.js';
export * from './ws-transport.js';
