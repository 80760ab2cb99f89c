import {
  Client,
  ProtocolError,
  ProtocolErrorCode,
  StreamableHTTPClientTransport,
  type ClientOptions,
} from '@modelcontextprotocol/client';
import { FsError } from '../../core/index.js';
import type { McpServerSettings } from '../../manifest/index.js';
import type { DriverContext } from '../driver-context.js';
import type { Invocation } from '../contract.js';
import type { Command } from '../native-proc/command.js';
import { startError } from '../native-proc/executable.js';
import { exitError } from '../native-proc/outcome-from-run.js';
import { StderrShare } from '../native-proc/stderr-share.js';
import { driverClosed, tooMuchOutput } from '../outcome.js';
import { answerQuestions } from './answer-questions.js';
import { boundedFetch } from './bounded-fetch.js';
import { ClientSession } from './client-session.js';
import { hear, type Conversation } from './conversation.js';
import { errorOfServer } from './server-errors.js';
import type { McpSession, SessionListener } from './session.js';
import { StdioTransport } from './stdio-transport.js';

/** Beyond the largest result, for what is around it. */
const MESSAGE_BYTES = 65_536;
/** A server may have to be downloaded by its command first. */
const START_MS = 60_000;
/** How long a server of an earlier generation may leave a request unanswered that it does not know. */
const PROBE_MS = 10_000;
const MAX_PAGES = 16;

export interface Opening {
  readonly settings: McpServerSettings;
  /** What to start; null for a server at `url`. */
  readonly command: Command | null;
  /** Filled in. */
  readonly headers: Readonly<Record<string, string>>;
  readonly context: DriverContext;
  readonly listener: SessionListener;
  /** Abandons it. */
  readonly signal: AbortSignal;
}

/**
 * Begins a conversation with a server.
 * @throws FsError with why there is none; nothing is left of it then
 */
export async function openSession(opening: Opening): Promise<McpSession> {
  if (opening.command === null) return openHttp(opening);
  try {
    return await openStdio(opening, opening.command, 'auto');
  } catch (thrown) {
    // A server of an earlier generation may end at the first request that it does not know.
    if (opening.signal.aborted) throw thrown;
    return openStdio(opening, opening.command, 'legacy');
  }
}

async function openStdio(
  opening: Opening,
  command: Command,
  generation: 'auto' | 'legacy',
): Promise<McpSession> {
  const { settings, context } = opening;
  const { maxOutputBytes, killGraceMs } = settings.limits;
  const calls = new Set<Invocation>();
  const stderr = new StderrShare();
  const transport = new StdioTransport({
    command,
    maxMessageBytes: maxOutputBytes + MESSAGE_BYTES,
    killGraceMs,
    around: context,
    onStderr: (chunk) => hear({ stderr, calls }, chunk),
  });
  const ended = transport.ended.then(({ exit, error, hasOverflown }) => {
    if (hasOverflown) return tooMuchOutput(maxOutputBytes);
    return exit === null ? startError(error, command.file) : exitError(exit.code, exit.signal, stderr.tail);
  });
  const talk: Conversation = {
    get pid() {
      return transport.pid;
    },
    ...{ calls, stderr, ended },
    abandon: () => transport.terminate(),
  };
  const client = clientFor(opening, talk, generation);
  const abandon = (): void => transport.terminate();
  opening.signal.addEventListener('abort', abandon, { once: true });
  try {
    opening.signal.throwIfAborted();
    await client.connect(transport, { timeout: START_MS, signal: opening.signal });
  } catch (thrown) {
    // What it ended of says more than that it ended.
    const why = await Promise.race([
      ended,
      new Promise<null>((resolve) => setImmediate(() => resolve(null))),
    ]);
    transport.terminate();
    await transport.close();
    throw opening.signal.aborted ? driverClosed() : (why ?? errorOfServer(thrown));
  } finally {
    opening.signal.removeEventListener('abort', abandon);
  }
  return new ClientSession(client, settings, talk);
}

async function openHttp(opening: Opening): Promise<McpSession> {
  const { settings, headers } = opening;
  let over: (why: FsError) => void = () => undefined;
  const ended = new Promise<FsError>((resolve) => (over = resolve));
  const talk: Conversation = {
    ...{ pid: null, calls: new Set(), stderr: new StderrShare(), ended },
    abandon: () => void client.close().catch(() => undefined),
  };
  // Loaded where a server is at an address.
  const { pooledFetch } = await import('./pooled-fetch.js');
  const pooled = pooledFetch(opening.context);
  void ended.then(() => pooled.close());
  const transport = new StreamableHTTPClientTransport(new URL(settings.url ?? ''), {
    requestInit: { headers: { ...headers }, redirect: 'error' },
    fetch: boundedFetch(pooled.fetch, settings.limits.maxOutputBytes + MESSAGE_BYTES, () => {
      over(tooMuchOutput(settings.limits.maxOutputBytes));
      void client.close().catch(() => undefined);
    }),
  });
  const client = clientFor(opening, talk, 'auto');
  client.onclose = () =>
    over(new FsError('EIO', 'The connection to the MCP server ended.', { hint: 'Call again.' }));
  try {
    await client.connect(transport, { timeout: START_MS, signal: opening.signal });
  } catch (thrown) {
    await transport.close().catch(() => undefined);
    await pooled.close();
    throw errorOfServer(thrown);
  }
  return new ClientSession(client, settings, talk);
}

function clientFor(
  { settings, listener }: Opening,
  talk: Conversation,
  generation: 'auto' | 'legacy',
): Client {
  const onChanged = (): void => listener.listChanged();
  const changed = { autoRefresh: false, debounceMs: 0, onChanged };
  const options: ClientOptions = {
    // What an answer leaves out, and the question has a default for, is that.
    capabilities: settings.elicitation ? { elicitation: { form: { applyDefaults: true } } } : {},
    versionNegotiation: { mode: generation, probe: { timeoutMs: PROBE_MS } },
    listChanged: { tools: changed, prompts: changed, resources: changed },
    listMaxPages: MAX_PAGES,
  };
  const client = new Client({ name: 'acheron', title: 'Acheron', version: '1' }, options);
  client.setNotificationHandler('notifications/message', ({ params: { level, logger, data } }) => {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    hear(talk, `${level}: ${logger === undefined ? '' : `${logger}: `}${text}\n`);
  });
  client.setNotificationHandler('notifications/resources/updated', () => listener.resourceChanged());
  if (settings.elicitation) answerQuestions(client, talk);
  client.fallbackRequestHandler = ({ method }) => {
    hear(talk, `acheron: the server asked for ${method.slice(0, 64)}, which is refused.\n`);
    return Promise.reject(
      new ProtocolError(ProtocolErrorCode.MethodNotFound, 'Acheron offers servers nothing of the sort.'),
    );
  };
  // What a server sends amiss (answers that nobody asked for, say) says nothing of the calls.
  client.onerror = () => undefined;
  return client;
}
