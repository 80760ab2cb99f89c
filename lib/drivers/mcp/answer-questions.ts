import type { Client } from '@modelcontextprotocol/client';
import type { JsonObject } from '../../core/index.js';
import { hear, type Conversation } from './conversation.js';

/** Hands the questions of a server to the caller of the one call that is under way. */
export function answerQuestions(client: Client, talk: Conversation): void {
  client.setRequestHandler('elicitation/create', async ({ params }, { mcpReq }) => {
    const [call] = talk.calls;
    if (call?.onQuestion === undefined || talk.calls.size > 1) {
      hear(talk, 'acheron: the server asks something, and nobody is there to answer.\n');
      return { action: 'decline' };
    }
    const schema = 'requestedSchema' in params ? (params.requestedSchema as unknown as JsonObject) : {};
    const url = 'url' in params ? { url: params.url } : {};
    const answer = await call.onQuestion({ message: params.message, schema, ...url }, mcpReq.signal);
    return answer === null
      ? { action: 'decline' as const }
      : {
          action: 'accept' as const,
          content: answer as Record<string, string | number | boolean | string[]>,
        };
  });
}
