// The least that a persistent driver can be: each payload is its own result.
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const { id, payload } = JSON.parse(line) as { id: string; payload: unknown };
  process.stdout.write(`${JSON.stringify({ id, result: payload })}\n`);
}
