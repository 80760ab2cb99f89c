import type { CallToolResult, Client, Tool } from '@modelcontextprotocol/client';
import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  taskViewFromExecutionEvent,
  toolDeclarationFromMcpTool,
  type TaskEnabledSession,
} from '@modelcontextprotocol/ext-tasks/client';
import type { JsonObject } from '../../core/index.js';

export interface TaskRequest {
  readonly tool: Tool;
  readonly args: JsonObject;
  readonly signal: AbortSignal;
  /** What the server says of how it stands, now and then. */
  readonly onStatus: (text: string) => void;
}

/** Tools of the generation before 2026-07-28 that run as tasks alone: begun by one request, asked after by others. */
export class TaskCalls {
  readonly #session: TaskEnabledSession;

  constructor(client: Client, endpointId: string) {
    this.#session = createTaskSessionFromClient(client, { endpointId });
  }

  async call({ tool, args, signal, onStatus }: TaskRequest): Promise<CallToolResult> {
    const execution = await this.#session.callTool(tool.name, args, {
      declaration: toolDeclarationFromMcpTool(tool),
      signal,
    });
    const cancel = (): void => void execution.cancel().catch(() => undefined);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      let said = '';
      const { outcome } = await execution.settle({
        onEvent: (event) => {
          const task = taskViewFromExecutionEvent(event);
          const text =
            task === undefined ? '' : `${task.status}: ${task.statusMessage ?? ''}`.replace(/: $/, '');
          if (text !== '' && text !== said) onStatus(text);
          said = text;
        },
      });
      return resultFromTaskOutcome(outcome) as unknown as CallToolResult;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  async close(): Promise<void> {
    await this.#session.close();
  }
}
