import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../lib/core/index.js';

const packages = join(import.meta.dirname, '../../../node_modules/@modelcontextprotocol');

/** The program of a reference server. */
export function serverProgram(name: string): string {
  const folder = join(packages, name);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    bin: Record<string, string>;
  };
  const [file = ''] = Object.values(bin);
  return join(folder, file);
}

/** A manifest of a reference server, which everyone may use. */
export function referenceServer(
  serviceId: string,
  name: string,
  args: readonly string[] = [],
  runtime: JsonObject = {},
): JsonObject {
  return {
    service_id: serviceId,
    kind: 'mcp',
    permissions: { allow_roles: ['admin', 'user'] },
    runtime: { type: 'mcp', command: process.execPath, args: [serverProgram(name), ...args], ...runtime },
  };
}
