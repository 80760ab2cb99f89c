import { idFrom } from '../../core/index.js';
import { builtinDefinition, type RuntimeLimits, type ServiceDefinition } from '../../manifest/index.js';

/** No NUL: a command line cannot carry one. */
const TEXT = { type: 'string', pattern: '^[^\\u0000]*$' };

/**
 * The service `terminal-<id>`: runs commands on the node.
 * @throws FsError EINVAL when `id` is no name
 */
export function terminalServiceDefinition(
  nodeId: string,
  id: string,
  limits: Partial<RuntimeLimits> = {},
): ServiceDefinition {
  idFrom(`terminal-${id}`, 'The terminal id');
  idFrom(id, 'The terminal id');
  return builtinDefinition(
    {
      service_id: `terminal-${id}`,
      kind: 'terminal',
      endpoints: [`/nodes/{node_id}/terminal/${id}`],
      mounts: [{ mount_id: `terminal-${id}`, mount_path: `/nodes/{node_id}/terminal/${id}` }],
      permissions: { allow_roles: ['admin', 'user'] },
      schema: {
        input: {
          type: 'object',
          properties: {
            command: { ...TEXT, minLength: 1, description: 'A command line for /bin/sh.' },
            argv: {
              type: 'array',
              items: TEXT,
              minItems: 1,
              maxItems: 10_000,
              description: 'A program and its arguments, without a shell.',
            },
            cwd: {
              ...TEXT,
              minLength: 1,
              description: 'Where to run it; relative to the home directory.',
            },
            max_output_bytes: {
              type: 'integer',
              minimum: 1,
              description: 'Stop it when it prints more than this on stdout.',
            },
          },
          oneOf: [{ required: ['command'] }, { required: ['argv'] }],
          additionalProperties: false,
        },
        output: {
          type: 'object',
          properties: {
            ok: { type: 'boolean' },
            exit_code: { type: ['integer', 'null'] },
            stdout: { type: 'string' },
            stderr: { type: 'string' },
          },
        },
      },
      invoke_template: { command: 'uname -a' },
      help_md: `Runs a command on the node and answers with its output and exit status.

\`{"command":"ls | wc -l"}\` is given to /bin/sh; \`{"argv":["ls","-l"]}\` runs a program without a shell.
\`cwd\` says where, \`max_output_bytes\` how much it may print.

The result has \`ok\`, \`exit_code\`, \`stdout\` and \`stderr\`. A command that fails is still a result, with \`ok\`
false; only one that was stopped (time, output, cancelled) is an error. While it runs, its output grows in
the \`stdout\` and \`stderr\` of its job, byte for byte; in the result, bytes that are not UTF-8 are U+FFFD.
`,
    },
    { nodeId, name: 'terminal', limits },
  );
}
