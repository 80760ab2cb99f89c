import type { Task } from './tasks.js';
import type { Use, Way } from './way.js';

/** A model behind an endpoint that speaks as OpenAI's does. */
export interface Model {
  readonly url: string;
  readonly name: string;
  readonly key: string | undefined;
}

/** It has failed when it has not answered by then. */
const MAX_STEPS = 12;

interface Reply {
  readonly content: string | null;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
}

/** The model named by ACHERON_BENCH_MODEL at ACHERON_BENCH_MODEL_URL, with ACHERON_BENCH_MODEL_KEY; undefined where none is. */
export function modelFromEnvironment(env: NodeJS.ProcessEnv): Model | undefined {
  const { ACHERON_BENCH_MODEL_URL: url, ACHERON_BENCH_MODEL: name, ACHERON_BENCH_MODEL_KEY: key } = env;
  return url === undefined || name === undefined ? undefined : { url, name, key };
}

/** Lets the model do the task as it likes; the answer is its last word. */
export async function byModel(model: Model, task: Task, way: Way, use: Use): Promise<string> {
  const messages: object[] = [
    { role: 'system', content: `${way.resident}\n\nDo what you are asked and answer in one line.` },
    { role: 'user', content: task.ask },
  ];
  for (let step = 0; step < MAX_STEPS; step++) {
    const reply = await ask(model, way, messages);
    messages.push({ role: 'assistant', ...reply });
    if (reply.tool_calls === undefined || reply.tool_calls.length === 0) return reply.content ?? '';
    for (const { id, function: called } of reply.tool_calls) {
      const args = JSON.parse(called.arguments || '{}') as Record<string, unknown>;
      messages.push({ role: 'tool', tool_call_id: id, content: await use(called.name, args) });
    }
  }
  return '';
}

async function ask({ url, name, key }: Model, way: Way, messages: readonly object[]): Promise<Reply> {
  const tools = way.tools.map((tool) => ({ type: 'function', function: tool }));
  const response = await fetch(`${url.replace(/\/$/, '')}/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify({ model: name, messages, tools, temperature: 0 }),
  });
  if (!response.ok)
    throw new Error(`The model's endpoint answers ${response.status}: ${await response.text()}`);
  const { choices } = (await response.json()) as { choices: { message: Reply }[] };
  return choices[0]?.message ?? { content: '' };
}
