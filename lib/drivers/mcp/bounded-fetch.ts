import type { FetchLike } from '@modelcontextprotocol/client';

const BLANK_LINE = /\r?\n\r?\n$|\n\r?\n/;

/**
 * `fetch` whose answers end with an error where one message in them is larger than `maxBytes`. `onOverflow` ends what
 * waits for that message: the rest of it will never come.
 */
export function boundedFetch(maxBytes: number, onOverflow: () => void): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'error' });
    if (response.body === null) return response;
    const isStream = response.headers.get('content-type')?.includes('text/event-stream') === true;
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
    const { status, statusText, headers } = response;
    return new Response(bounded, { status, statusText, headers });
  };
}
