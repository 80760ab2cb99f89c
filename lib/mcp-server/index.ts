/**
 * Services as tools of the Model Context Protocol: what a session may invoke, with descriptions, schemas, progress and
 * cancellation. It knows a tree and a session and nothing else: whatever may be seen or done is decided where the tree is
 * served, so that a tool is a control file that may be written.
 */
export { McpHttpEndpoint } from './http-endpoint.js';
export { McpSource, type McpSettings } from './mcp-server.js';
export { serveMcpStdio } from './serve-stdio.js';
export { toolName } from './tool-name.js';
