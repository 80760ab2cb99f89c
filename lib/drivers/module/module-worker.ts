// The thread (or process, where it runs as another user) of a `module` driver: loads the module once, then serves one call at a time.
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { ProgressLines } from '../progress-lines.js';
import type { FromWorker, ToWorker } from '../worker/messages.js';
import { PacedProgress } from '../worker/paced-progress.js';

type Invoke = (payload: unknown, context: ModuleContext) => unknown;

/** What `invoke` gets besides the request. */
export interface ModuleContext {
  readonly nodeId: string;
  readonly serviceId: string;
  readonly invocationId: string;
  readonly deadlineMs: number;
  readonly role: string;
  readonly agentId: string | null;
  readonly projectId: string | null;
  readonly configFile: string | null;
  readonly config: unknown;
  /** Aborts when the call is cancelled or out of time. */
  readonly signal: AbortSignal;
  /** Says how far the call is: `{ done, total, message }`, of which `done` alone must be there. */
  progress(progress: unknown): void;
}

/** The call that is served: what it hears its cancellation by, once it has asked for that, and what it says. */
class CallUnderWay {
  readonly progress = new PacedProgress((value) => post({ type: 'progress', value: cloneable(value) }));
  readonly stderr = new ProgressLines(
    (chunk) => post({ type: 'output', stream: 'stderr', chunk }),
    (progress) => this.progress.say(progress),
  );
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    return this.#made.signal;
  }

  cancel(): void {
    this.#made.abort();
  }

  get #made(): AbortController {
    return (this.#controller ??= new AbortController());
  }
}

/** The node: at the other end of the thread's port, or of the channel of a process. */
const port = threadPort() ?? processPort();
const { modulePath } = (workerData ?? { modulePath: process.argv[2] }) as { modulePath: string };
let current: CallUnderWay | null = null;

const post = (message: FromWorker): void => port.postMessage(message);

// Node's own streams of a worker arrive later than its messages; these keep the order, and belong to the call.
for (const stream of ['stdout', 'stderr'] as const)
  process[stream].write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (current !== null) hear(current, stream, Buffer.from(chunk as string));
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
    if (done !== undefined) queueMicrotask(done);
    return true;
  };

function hear({ stderr }: CallUnderWay, stream: 'stdout' | 'stderr', chunk: Buffer): void {
  if (stream === 'stderr') stderr.take(chunk);
  else post({ type: 'output', stream, chunk });
}

/** As it is, where it can be sent at all. */
function cloneable(value: unknown): unknown {
  try {
    return (JSON.parse(JSON.stringify([value])) as unknown[])[0];
  } catch {
    // Neither JSON nor a progress: the node says that it is none.
    return String(value);
  }
}

const invoke = await load();
if (invoke !== null) {
  port.onMessage((message) => {
    if (message.type === 'call') void serve(invoke, message);
    else if (current !== null) {
      post({ type: 'stopping' });
      current.cancel();
    }
  });
  post({ type: 'ready' });
}

async function load(): Promise<Invoke | null> {
  try {
    const exported = ((await import(pathToFileURL(modulePath).href)) as { invoke?: unknown }).invoke;
    if (typeof exported === 'function') return exported as Invoke;
    post({ type: 'fault', message: 'it does not "export async function invoke(payload, context)".' });
  } catch (thrown) {
    post({ type: 'fault', message: messageOf(thrown) });
  }
  return null;
}

async function serve(invoke: Invoke, call: Extract<ToWorker, { type: 'call' }>): Promise<void> {
  const underWay = new CallUnderWay();
  current = underWay;
  let answer: FromWorker;
  try {
    const { facts } = call;
    const result = await invoke(JSON.parse(call.payload), {
      nodeId: facts['node_id'] as string,
      serviceId: facts['service_id'] as string,
      invocationId: facts['invocation_id'] as string,
      deadlineMs: facts['deadline_ms'] as number,
      role: facts['role'] as string,
      agentId: facts['agent_id'] as string | null,
      projectId: facts['project_id'] as string | null,
      configFile: facts['config_file'] as string | null,
      config: call.config,
      get signal() {
        return underWay.signal;
      },
      progress: (progress) => {
        if (current === underWay) underWay.progress.say(progress);
      },
    });
    const text = result === undefined ? '{}' : (JSON.stringify(result) as string | undefined);
    answer =
      text === undefined
        ? { type: 'failed', message: `it returned a ${typeof result}, which is not JSON.` }
        : { type: 'done', result: text };
  } catch (thrown) {
    answer = { type: 'failed', message: messageOf(thrown) };
  }
  current = null;
  underWay.stderr.end();
  underWay.progress.flush();
  post(answer);
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error
    ? `${thrown.name === 'Error' ? '' : `${thrown.name}: `}${thrown.message}`
    : String(thrown);
}

interface Port {
  onMessage(listener: (message: ToWorker) => void): void;
  postMessage(message: FromWorker): void;
}

function threadPort(): Port | null {
  if (parentPort === null) return null;
  const thread = parentPort;
  return {
    onMessage: (listener) => void thread.on('message', listener),
    postMessage: (message) => thread.postMessage(message),
  };
}

function processPort(): Port {
  // Without the node there is nobody to serve.
  process.on('disconnect', () => process.exit());
  return {
    onMessage: (listener) => void process.on('message', listener),
    postMessage: (message) => void process.send?.(message),
  };
}
