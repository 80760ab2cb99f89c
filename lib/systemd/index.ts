/**
 * What a service manager and its services say to each other (sd_notify(3), sd_listen_fds(3)): that a server is ready, reloads
 * or stops, that its loop lives, and sockets that were opened for it. Without a service manager nothing of this is loaded
 * or costs anything.
 */
export * from './inherited-sockets.js';
export * from './journal.js';
export * from './notify-socket.js';
export * from './service-manager.js';
