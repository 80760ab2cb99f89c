import { createHash } from 'node:crypto';

/** What every client and every model takes: some know of no dots, and of no more than 64 characters. */
const MAX_CHARACTERS = 64;
const DIGEST_CHARACTERS = 6;

/**
 * The tool that stands for a service: `<node>__<service>`. Where that has characters that not every client takes, is too
 * long, or could mean another service, what is replaced is replaced by `_`, and a digest of both names follows. It depends
 * on the two names alone, so that no other service that comes or goes ever renames it.
 */
export function toolName(nodeId: string, serviceId: string): string {
  const whole = `${nodeId}__${serviceId}`;
  const isPlain = /^[A-Za-z0-9_-]+$/.test(whole) && whole.length <= MAX_CHARACTERS;
  const isClear = !nodeId.includes('__') && !nodeId.endsWith('_') && !serviceId.startsWith('_');
  if (isPlain && isClear && !looksDigested(serviceId)) return whole;
  const digest = createHash('sha256')
    .update(`${nodeId}/${serviceId}`)
    .digest('hex')
    .slice(0, DIGEST_CHARACTERS);
  const kept = whole.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_CHARACTERS - DIGEST_CHARACTERS - 1);
  return `${kept}-${digest}`;
}

/** A plain name must not look as if it had a digest, or it could be that of another service. */
const looksDigested = (serviceId: string): boolean =>
  new RegExp(`-[0-9a-f]{${DIGEST_CHARACTERS}}$`).test(serviceId);
