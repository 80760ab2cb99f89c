import type { BenchCase } from '../bench.js';
import { cachedOperations } from './cached-operations.js';
import { exportOperations } from './export-operations.js';
import { fileOperations } from './file-operations.js';
import { footprint } from './footprint.js';
import { httpServices } from './http-services.js';
import { invocation } from './invocation.js';
import { manyNodes } from './many-nodes.js';
import { mcpTools } from './mcp-tools.js';
import { manifestChange } from './manifest-change.js';
import { mcpServers } from './mcp-servers.js';
import { programStart } from './program-start.js';
import { recovery } from './recovery.js';
import { relay } from './relay.js';
import { remoteExports } from './remote-exports.js';
import { remoteOperations } from './remote-operations.js';
import { recursiveListing } from './recursive-listing.js';
import { replicas } from './replicas.js';
import { runtimes } from './runtimes.js';
import { startUp } from './start-up.js';
import { throughPlane } from './through-plane.js';
import { webConsole } from './web-console.js';

export const cases: readonly BenchCase[] = [
  fileOperations,
  cachedOperations,
  recursiveListing,
  invocation,
  runtimes,
  mcpServers,
  httpServices,
  programStart,
  startUp,
  footprint,
  manifestChange,
  exportOperations,
  remoteOperations,
  remoteExports,
  throughPlane,
  recovery,
  manyNodes,
  replicas,
  relay,
  webConsole,
  mcpTools,
];
