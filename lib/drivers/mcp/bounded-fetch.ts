import type { FetchLike } from '@modelcontextprotocol/client';

/** `fetch`, be it Node's own or another one: what is made use of. */
export type Fetch = (
  ...asked: Parameters<FetchLike>
) => Promise<Pick<Response, 'body' | 'status' | 'statusText' | 'headers'>>;

const BLANK_LINE = /\r?\n\r?\n$|\n\r?\n/;

/**
 * `fetch` whose answers end with an error where one message in them is larger than `maxBytes`. `onOverflow` ends what
 * waits for that message: the rest of it will never come. It follows no redirect.
 */
export function boundedFetch(fetch: Fetch, maxBytes: number, onOverflow: () => void): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'error' });
    const { status, statusText, headers } = response;
    const how = { status, statusText, headers: [...headers] };
    if (response.body === null) return new Response(null, how);
    const isStream = headers.get('content-type')?.includes('text/event-stream') === true;
    let bytes = 0;
    const bounded = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          // An event ends with a blank line; what follows is the next message.
          bytes =
            isStream && BLANK_LINE.test(Buffer.from(chunk).toString('latin1')) ? 0 : bytes + chunk.length;
          if (bytes <= maxBytes && chunk.length <= maxBytes) controller.enqueue(chunk);
          else {
            controller.error(new Error(`A message of the server is larger than ${maxBytes} bytes.`));
            onOverflow();
          }
        },
      }),
    );
    return new Response(bounded, how);
  };
}
