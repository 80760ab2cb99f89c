import { resolve } from 'node:path';
import { ownValue, type JsonObject, type ServiceId } from '../../core/index.js';
import type { McpRuntime, McpServerSettings, RuntimeLimits } from '../definition.js';
import type { Problems } from '../fault.js';
import { programFrom } from '../program-path.js';

/** Without a user name or password: these would be seen. */
const ADDRESS = /^https?:\/\/[^\s@]+$/;

/** `runtime` of a manifest of type `mcp` that has passed the format; null where it names no server. */
export function mcpServerFrom(
  manifest: JsonObject,
  folder: string,
  limits: RuntimeLimits,
  problems: Problems,
): McpServerSettings | null {
  const written = (ownValue(manifest, 'runtime') ?? {}) as JsonObject;
  const field = <Value>(name: string, fallback: Value): Value =>
    (ownValue(written, name) ?? fallback) as Value;
  const command = field<string | null>('command', null);
  const url = field<string | null>('url', null);
  const envFile = field<string | null>('env_file', null);
  if (command !== null && url !== null)
    problems.fault({
      path: ['runtime', 'url'],
      atKey: true,
      message: 'An MCP server is started by "command" or reached at "url", not both.',
      expected: 'one of them',
      got: 'both',
      hint: 'Remove one of them.',
    });
  if (url !== null && !(ADDRESS.test(url) && URL.canParse(url)))
    problems.fault({
      path: ['runtime', 'url'],
      message: '"url" must be an address.',
      expected: 'http://… or https://…',
      got: 'something else',
    });
  if (command === null && url === null) return null;
  return {
    serviceId: ownValue(manifest, 'service_id') as ServiceId,
    program:
      command === null
        ? null
        : {
            executablePath: programFrom(command, folder),
            args: field<readonly string[]>('args', []),
            cwd: resolve(folder, field('cwd', '.')),
          },
    url,
    headers: field<Readonly<Record<string, string>>>('headers', {}),
    env: field<Readonly<Record<string, string>>>('env', {}),
    envFile: envFile === null ? null : resolve(folder, envFile),
    session: field('session', 'shared'),
    elicitation: field('elicitation', false),
    limits,
  };
}

/** The tools that are named, each with its permissions where it has some of its own. */
export function toolsFrom(manifest: JsonObject): McpRuntime['tools'] {
  const tools = ownValue((ownValue(manifest, 'runtime') ?? {}) as JsonObject, 'tools') as
    Readonly<Record<string, JsonObject>> | undefined;
  if (tools === undefined) return null;
  return Object.entries(tools).map(([name, tool]) => [name, ownValue(tool, 'permissions') ?? null]);
}
