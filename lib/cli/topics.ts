import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FsError } from '../core/index.js';
import { PACKAGE_DIR } from './version.js';
import { writeStyled } from './write-out.js';

interface Topic {
  readonly name: string;
  readonly about: string;
  /** Where it is written, from the package's folder on. */
  readonly file: string;
}

/** What `acheron help` can explain beside commands; no topic has a command's name. */
const TOPICS: readonly Topic[] = [
  { name: 'start', about: 'the first five minutes', file: 'README.md' },
  { name: 'shell', about: 'how to use services from a shell', file: 'docs/SHELL_USERS.md' },
  { name: 'tree', about: 'the tree, file by file', file: 'docs/NAMESPACE.md' },
  { name: 'agents', about: 'what an agent needs to know', file: 'docs/AGENTS.md' },
  { name: 'manifest', about: 'all fields of a manifest', file: 'docs/MANIFEST.md' },
  { name: 'drivers', about: 'how to write a driver', file: 'docs/DRIVER_AUTHORS.md' },
  { name: 'abi', about: 'the contract between node and driver', file: 'docs/NAMESPACE_DRIVER_ABI_V1.md' },
  { name: 'http', about: 'HTTP APIs as services', file: 'docs/HTTP_SERVICES.md' },
  { name: 'mcp-servers', about: 'MCP servers as services', file: 'docs/MCP_SERVERS.md' },
  { name: 'admin', about: 'for people who answer for machines', file: 'docs/ADMIN.md' },
  { name: 'production', about: 'a checklist, sizing and containers', file: 'docs/PRODUCTION.md' },
  { name: 'security', about: 'who may do what, and how it is held', file: 'docs/SECURITY.md' },
  { name: 'replicas', about: 'several control planes as one', file: 'docs/replicas.md' },
  { name: 'state', about: 'what is kept on disk', file: 'docs/STATE.md' },
  { name: 'web-console', about: 'the console in the browser', file: 'docs/CONSOLE.md' },
  { name: 'library', about: 'the client library', file: 'docs/LIBRARY.md' },
  { name: 'troubleshooting', about: 'what to do when it does not work', file: 'docs/TROUBLESHOOTING.md' },
];

/** The list of topics, as it stands below the commands. */
export const TOPIC_LIST = `
Topics (acheron help TOPIC):
${TOPICS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}
`;

export function topicNames(): { readonly value: string; readonly about: string }[] {
  return TOPICS.map(({ name, about }) => ({ value: name, about }));
}

export function topicNamed(name: string | undefined): Topic | undefined {
  return TOPICS.find((topic) => topic.name === name);
}

/** Prints a topic, as wide as the terminal is, to a point. */
export async function printTopic({ file }: Topic): Promise<void> {
  const { textOfDocument } = await import('./document-text.js');
  await writeStyled(textOfDocument(read(file), process.stdout.isTTY ? process.stdout.columns : undefined));
}

function read(file: string): string {
  try {
    return readFileSync(join(PACKAGE_DIR, file), 'utf8');
  } catch (cause) {
    throw new FsError('ENOENT', `This installation has no ${file}.`, {
      hint: 'Install Acheron anew, with its documents.',
      cause,
    });
  }
}
