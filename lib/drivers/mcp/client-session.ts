import {
  LOG_LEVEL_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  SdkError,
  SdkErrorCode,
  UriTemplate,
  type CallToolResult,
  type Client,
  type RequestOptions,
  type ServerCapabilities,
  type Tool,
} from '@modelcontextprotocol/client';
import { FsError, type JsonObject, type JsonValue } from '../../core/index.js';
import type { McpServerSettings } from '../../manifest/index.js';
import type { Invocation, Outcome } from '../contract.js';
import { callFacts } from '../native-proc/environment.js';
import { reportProgress } from '../report-progress.js';
import type { Conversation } from './conversation.js';
import { errorOfServer } from './server-errors.js';
import type { McpRequest, McpSession, ResourceText } from './session.js';
import type { TaskCalls } from './task-call.js';
import { outcomeOfPrompt, outcomeOfResource, outcomeOfTool } from './tool-result.js';

/** How long a server may take to list what it offers. */
const LIST_MS = 30_000;
/** The longest that a timer can hold: our own signal ends a call. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
/** A living server answers a ping within this, or within the grace that its manifest gives, where that is longer. */
const ANSWER_MS = 2_000;
/** By this a program learns who calls, as other drivers do; a server elsewhere is told nothing of that. */
const CALL_META = 'acheron/call';

/** A conversation by way of the SDK's client. */
export class ClientSession implements McpSession {
  readonly ended: Promise<FsError | null>;
  readonly #client: Client;
  readonly #settings: McpServerSettings;
  readonly #talk: Conversation;
  #turn: Promise<unknown> = Promise.resolve();
  #taskTools: Promise<Tool[]> | undefined;
  #tasks: TaskCalls | undefined;
  #hasAnswered = false;
  #isClosing = false;

  constructor(client: Client, settings: McpServerSettings, talk: Conversation) {
    this.#client = client;
    this.#settings = settings;
    this.#talk = talk;
    this.ended = talk.ended.then((why) => (this.#isClosing ? null : why));
  }

  get pid(): number | null {
    return this.#talk.pid;
  }

  get stderrTail(): string {
    return this.#talk.stderr.tail;
  }

  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  async list(): Promise<JsonObject> {
    const offered = this.#client.getServerCapabilities() ?? {};
    const options = { timeout: LIST_MS, cacheMode: 'refresh' } as const;
    const client = this.#client;
    return {
      tools: await ifOffered(
        offered,
        'tools',
        async () => (await client.listTools(undefined, options)).tools,
      ),
      prompts: await ifOffered(
        offered,
        'prompts',
        async () => (await client.listPrompts(undefined, options)).prompts,
      ),
      templates: await ifOffered(
        offered,
        'resources',
        async () => (await client.listResourceTemplates(undefined, options)).resourceTemplates,
      ),
      resources: await ifOffered(
        offered,
        'resources',
        async () => (await client.listResources(undefined, options)).resources,
      ),
    };
  }

  async run(request: McpRequest, call: Invocation, signal: AbortSignal): Promise<Outcome> {
    const leave = await this.#enter();
    this.#talk.calls.add(call);
    try {
      signal.throwIfAborted();
      const outcome = await this.#ask(request, call, {
        signal,
        timeout: NO_TIMEOUT_MS,
        onprogress: ({ progress, total, message }) =>
          reportProgress(call, { done: progress, total: total ?? null, message: message ?? null }),
      });
      this.#hasAnswered = true;
      return outcome;
    } catch (thrown) {
      throw await this.#explain(thrown);
    } finally {
      this.#talk.calls.delete(call);
      this.#talk.stderr.left(call);
      leave();
    }
  }

  async read(uri: string, signal: AbortSignal): Promise<ResourceText> {
    try {
      const { contents } = await this.#client.readResource({ uri }, { signal, cacheMode: 'bypass' });
      this.#hasAnswered = true;
      const bytes = contents.map((one) =>
        'text' in one ? Buffer.from(one.text) : Buffer.from(one.blob, 'base64'),
      );
      return { bytes: Buffer.concat(bytes), mediaType: contents[0]?.mimeType ?? null };
    } catch (thrown) {
      throw await this.#explain(thrown);
    }
  }

  async subscribe(uri: string): Promise<void> {
    if (this.#client.getServerCapabilities()?.resources?.subscribe !== true) return;
    if (this.#client.getProtocolEra() === 'modern')
      await this.#client.listen({ resourceSubscriptions: [uri] });
    else await this.#client.subscribeResource({ uri });
  }

  async mustAnswer(): Promise<void> {
    const options = { timeout: Math.max(ANSWER_MS, this.#settings.limits.killGraceMs) };
    try {
      if (this.#client.getProtocolEra() === 'modern') await this.#client.discover(options);
      else await this.#client.ping(options);
    } catch {
      this.#talk.abandon();
      await this.#talk.ended;
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#tasks?.close().catch(() => undefined);
    await this.#client.close().catch(() => undefined);
    await this.#talk.ended;
  }

  async #ask({ kind, name, args }: McpRequest, call: Invocation, options: RequestOptions): Promise<Outcome> {
    const facts = { _meta: this.#metaOf(call) };
    switch (kind) {
      case 'tool': {
        const task = await this.#taskTool(name);
        const result =
          task === undefined
            ? await this.#client.callTool({ name, arguments: args, ...facts }, options)
            : await this.#runTask(task, args, call, options.signal);
        return outcomeOfTool(result);
      }
      case 'prompt': {
        const given = args as Readonly<Record<string, string>>;
        return outcomeOfPrompt(await this.#client.getPrompt({ name, arguments: given, ...facts }, options));
      }
      case 'template': {
        const uri = new UriTemplate(name).expand(args as Record<string, string>);
        return outcomeOfResource(
          await this.#client.readResource({ uri }, { ...options, cacheMode: 'bypass' }),
        );
      }
    }
  }

  /** Who calls, for a program; and that logs are wanted, which servers of the newest generation have to be told. */
  #metaOf(call: Invocation): Record<string, unknown> {
    return {
      ...(this.#settings.program === null ? {} : { [CALL_META]: callFacts(call, null) }),
      ...(this.#client.getProtocolEra() === 'modern' ? { [LOG_LEVEL_META_KEY]: 'info' } : {}),
    };
  }

  /** The tool, where it runs as a task alone. */
  async #taskTool(name: string): Promise<Tool | undefined> {
    const { tasks } = this.#client.getServerCapabilities() ?? {};
    if (tasks?.requests?.tools?.call === undefined) return undefined;
    this.#taskTools ??= this.#client
      .listTools()
      .then(({ tools }) => tools.filter(({ execution }) => execution?.taskSupport === 'required'));
    return (await this.#taskTools).find((tool) => tool.name === name);
  }

  async #runTask(
    tool: Tool,
    args: JsonObject,
    call: Invocation,
    signal = new AbortController().signal,
  ): Promise<CallToolResult> {
    const { TaskCalls } = await import('./task-call.js');
    this.#tasks ??= new TaskCalls(this.#client, this.#settings.serviceId);
    const onStatus = (text: string): void => call.onOutput('stderr', Buffer.from(`${text}\n`));
    return this.#tasks.call({ tool, args, signal, onStatus });
  }

  /** Where the server may ask, one call at a time: nothing in a question says which call it is about. */
  async #enter(): Promise<() => void> {
    if (!this.#settings.elicitation) return () => undefined;
    const before = this.#turn;
    let leave: () => void = () => undefined;
    this.#turn = new Promise<void>((resolve) => (leave = resolve));
    await before;
    return leave;
  }

  /** Why a request failed, in our words. */
  async #explain(thrown: unknown): Promise<FsError> {
    if (!(thrown instanceof SdkError) || thrown.code !== SdkErrorCode.ConnectionClosed)
      return errorOfServer(thrown);
    const { message } = await this.#talk.ended;
    return new FsError('EIO', `The MCP server ended while the call ran. ${message}`, {
      hint: 'The call may have had effects, so it was not run again.',
    });
  }
}

async function ifOffered(
  offered: ServerCapabilities,
  what: 'tools' | 'prompts' | 'resources',
  list: () => Promise<readonly unknown[]>,
): Promise<JsonValue> {
  if (offered[what] === undefined) return [];
  try {
    return (await list()) as JsonValue;
  } catch (thrown) {
    // Many a server offers resources without templates, or the other way round.
    if (thrown instanceof ProtocolError && thrown.code === (ProtocolErrorCode.MethodNotFound as number))
      return [];
    throw errorOfServer(thrown);
  }
}
