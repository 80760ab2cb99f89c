import { Fault } from './fault.js';

/** The code of a link to the console, in what somebody pasted: the link itself, or the code alone. */
export function codeFrom(text: string): string | null {
  return /(?:^|#code=)([A-Za-z0-9_-]{43})$/.exec(text.trim())?.[1] ?? null;
}

/** Takes the code out of the page's address, so that neither the address nor the history has it. */
export function takeCode(): string | null {
  const code = codeFrom(location.hash);
  if (location.hash.startsWith('#code=')) history.replaceState(null, '', location.pathname);
  return code;
}

/** Exchanges a link's code, which is used up by it, for the secret of a session. @throws Fault */
export async function signIn(code: string): Promise<string> {
  const answer = await fetch('session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code }),
    cache: 'no-store',
    credentials: 'omit',
  }).catch(() => null);
  if (answer === null)
    throw new Fault('EHOSTDOWN', 'The control plane is not there.', 'Start it, and make a new link.');
  if (!answer.ok)
    throw new Fault(
      'EACCES',
      answer.status === 429
        ? 'Too many links were tried that are not good.'
        : 'This link was used already, or is older than a minute.',
      'Make a new one.',
    );
  return ((await answer.json()) as { secret: string }).secret;
}
