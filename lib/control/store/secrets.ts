import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** A random name in lower-case hex. */
export function newPublicId(bytes = 8): string {
  return randomBytes(bytes).toString('hex');
}

/** 256 bits of chance, as text that needs no quoting in a shell. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** What is kept of a secret. Secrets are 256 random bits, so a plain hash cannot be guessed back. */
export function hashFromSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Compares a secret with a stored hash in constant time; false for an absent hash, in the same time. */
export function secretMatches(secret: string, hash: Uint8Array | null | undefined): boolean {
  const own = hashFromSecret(secret);
  const other = hash?.length === own.length ? hash : Buffer.alloc(own.length);
  return timingSafeEqual(own, other) && other === hash;
}

/** A keyed hash of a payload: equal payloads can be recognised, but not guessed without the key. */
export function keyedHash(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}
