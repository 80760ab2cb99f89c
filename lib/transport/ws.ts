import { createRequire } from 'node:module';
import type * as Ws from 'ws';

/**
 * The library ws, loaded as the CommonJS that it is: an `import` of it parses each file a second time for the
 * names that it exports, which takes longer than all the rest of it.
 */
export const { WebSocket, WebSocketServer } = createRequire(import.meta.url)('ws') as typeof Ws;
export type WebSocket = Ws.WebSocket;
export type WebSocketServer = Ws.WebSocketServer;
