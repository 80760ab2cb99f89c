import { NOT_AVAILABLE, type Task } from './tasks.js';
import type { Use, Way } from './way.js';

/** How long it waits for a slow call at a time, in seconds. */
const WAIT_SECONDS = 20;

/**
 * An agent whose policy is what follows, and nothing else; docs/AGENTS.md has it in words. It answers with the last that it
 * read.
 */
export const SCRIPTS: Readonly<Record<string, (task: Task, way: Way, use: Use) => Promise<string>>> = {
  files: byFiles,
  cli: byCommands,
  'mcp, all tools': byTools,
  'mcp, compact': byThreeTools,
};

/** The first word that a line of the index has; then the README of that service, and no more; then the call. */
async function byFiles(task: Task, _way: Way, use: Use): Promise<string> {
  const sh = (command: string): Promise<string> => use('shell', { command });
  const line = await firstLine(task.words, (word) => sh(`grep -i '${word}' nodes/INDEX.tsv`));
  if (line === undefined) return NOT_AVAILABLE;
  const dir = `nodes/${(line.split('\t')[2] ?? '').replace('/control/invoke.json', '')}`;
  await sh(`cat ${dir}/README.md`);
  const call = (request: object): Promise<string> =>
    sh(
      `cd ${dir} && { printf '%s\\n' ${quoted(request)} >&3 && cat <&3; } 3<>control/invoke.json || cat last_error.txt`,
    );
  if (task.isLong !== true) return withRepair(task, call);
  const key = `k${Date.now()}`;
  const request = quoted({ _key: key, ...task.request });
  return sh(
    `cd ${dir} && printf '%s\\n' ${request} > control/submit.json && echo ${WAIT_SECONDS} > jobs/by-key/${key}/wait && cat jobs/by-key/${key}/result.json`,
  );
}

/** The same by commands; a slow call is waited for by `invoke` itself. */
async function byCommands(task: Task, _way: Way, use: Use): Promise<string> {
  const sh = (command: string): Promise<string> => use('shell', { command });
  const line = await firstLine(task.words, (word) => sh(`acheron cat /nodes/INDEX.tsv | grep -i '${word}'`));
  if (line === undefined) return NOT_AVAILABLE;
  const service = line.split('\t')[0] ?? '';
  await sh(`acheron cat /nodes/local/services/${service}/README.md`);
  return withRepair(task, (request) => sh(`acheron invoke -q ${service} ${quoted(request)}`));
}

/** The first tool whose description has the first word that any has. */
async function byTools(task: Task, way: Way, use: Use): Promise<string> {
  const has = (text: string | undefined, word: string): boolean =>
    text?.toLowerCase().includes(word.toLowerCase()) === true;
  const found = task.words.flatMap((word) => way.tools.filter(({ description }) => has(description, word)));
  const [tool] = found;
  if (tool === undefined) return NOT_AVAILABLE;
  return ended(
    'job_status',
    use,
    await withRepair(task, (request) => use(tool.name, request as Record<string, unknown>)),
  );
}

/** The first that is found, its description, the call. */
async function byThreeTools(task: Task, _way: Way, use: Use): Promise<string> {
  const line = await firstLine(task.words, async (words) => {
    const said = await use('find_services', { words });
    return said.startsWith('None') ? '' : said;
  });
  if (line === undefined) return NOT_AVAILABLE;
  const service = line.split(':')[0] ?? '';
  await use('describe_service', { service });
  return ended(
    'call_service',
    use,
    await withRepair(task, (request) => use('call_service', { service, request })),
  );
}

async function firstLine(
  words: readonly string[],
  look: (word: string) => Promise<string>,
): Promise<string | undefined> {
  for (const word of words) {
    const [line = ''] = (await look(word)).split('\n');
    if (line !== '') return line;
  }
  return undefined;
}

/** Sends what it guesses; where that is refused, what is right: an error says enough, or the next one shows it. */
async function withRepair(task: Task, call: (request: object) => Promise<string>): Promise<string> {
  const said = await call(task.guess ?? task.request);
  return task.guess !== undefined && /EINVAL/.test(said) ? call(task.request) : said;
}

async function ended(asker: string, use: Use, said: string): Promise<string> {
  const job = /"job":"([^"]+)"/.exec(said)?.[1];
  return job === undefined ? said : use(asker, { job, wait_seconds: WAIT_SECONDS });
}

const quoted = (request: object): string => `'${JSON.stringify(request).replaceAll("'", `'\\''`)}'`;
