import { readFileSync } from 'node:fs';

/** A payload that the driver cannot take; the message says why. */
export class PayloadError extends Error {}

/**
 * The payload of this call: all of stdin, one JSON object.
 * @throws PayloadError when it is anything else.
 */
export function readPayload(): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(0, 'utf8'));
  } catch (error) {
    throw new PayloadError(`the payload is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new PayloadError('the payload must be a JSON object');
  return value as Record<string, unknown>;
}

/** Runs a driver's body; a bad payload is reported on stderr with exit status 2, the rest is Node's to report. */
export async function runDriver(name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    process.exitCode = 2;
  }
}
