const NO_NUL_SOME = '^[^\\u0000]+$';

/** What only the runtime of an MCP server may hold. `args`, `env` and `cwd` are those of programs, `url` and `headers` of HTTP. */
export const MCP_PROPERTIES = {
  command: {
    description:
      'mcp: the program of a server that speaks over its standard input and output. With a slash: relative to the manifest; without: looked up on PATH.',
    type: 'string',
    pattern: NO_NUL_SOME,
  },
  env_file: {
    description:
      'mcp: a file of NAME=VALUE lines with secrets, mode 0600, relative to the manifest; what it sets goes before env.',
    type: 'string',
    pattern: NO_NUL_SOME,
  },
  session: {
    description:
      'mcp: one conversation with the server for all callers (shared), or one for each of them (principal), who then sees nothing of what the others left there.',
    enum: ['shared', 'principal'],
    default: 'shared',
  },
  elicitation: {
    description:
      'mcp: whether the server may ask the caller during a call (jobs/<id>/question.json); calls of one conversation then run one after the other.',
    type: 'boolean',
    default: false,
  },
  tools: {
    description:
      'mcp: which tools become services, by their names, and what permissions each has; by default all, with the permissions of the manifest, and those that the server calls destructive for admins alone.',
    type: 'object',
    additionalProperties: {
      type: 'object',
      properties: { permissions: { description: 'As those of the manifest.', type: 'object' } },
    },
  },
};
