#!/usr/bin/env node
// Named locks for those who work together: {"acquire": "build"} takes one, {"release": "build", "token": …}
// gives it back, {"list": true} shows who holds what. A lock ends by itself after its `ttl_seconds`, so a
// holder that dies blocks nobody for long. Each project has names of its own.
//
// A driver of `"mode": "persistent"`: one process that lives from call to call and speaks NDJSON, a frame
// {"id", "payload", "call"} in, a frame {"id", "result"} or {"id", "error"} out. It has what a process
// per call cannot have: something that it remembers. End of file on stdin means stop.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { PayloadError } from './payload.js';

interface Frame {
  readonly id: string;
  readonly payload: Record<string, unknown>;
  readonly call?: { readonly agent_id?: string | null; readonly project_id?: string | null };
}

interface Lock {
  readonly token: string;
  readonly holder: string | null;
  readonly sinceMs: number;
  readonly untilMs: number;
}

const LONGEST_TTL_SECONDS = 86_400;
/** Locks by project, then by name; a name is only ever looked up in a Map. */
const projects = new Map<string, Map<string, Lock>>();

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  const frame = JSON.parse(line) as Frame;
  try {
    send({ id: frame.id, result: answer(frame) });
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    send({ id: frame.id, error: { message: error.message } });
  }
}

function answer({ payload, call }: Frame): unknown {
  const project = call?.project_id ?? '';
  const locks = projects.get(project) ?? new Map<string, Lock>();
  projects.set(project, locks);
  for (const [name, lock] of locks) if (lock.untilMs <= Date.now()) locks.delete(name);
  if (Object.hasOwn(payload, 'acquire')) return acquire(locks, payload, call?.agent_id ?? null);
  if (Object.hasOwn(payload, 'release')) return release(locks, payload);
  return { locks: [...locks].map(([name, lock]) => facts(name, lock)) };
}

function acquire(locks: Map<string, Lock>, payload: Record<string, unknown>, holder: string | null): unknown {
  const name = textIn(payload, 'acquire');
  const ttlSeconds = Object.hasOwn(payload, 'ttl_seconds') ? payload['ttl_seconds'] : 60;
  if (typeof ttlSeconds !== 'number' || !(ttlSeconds > 0 && ttlSeconds <= LONGEST_TTL_SECONDS))
    throw new PayloadError(`"ttl_seconds" must be a number above 0, at most ${LONGEST_TTL_SECONDS}`);
  const held = locks.get(name);
  const renews = held !== undefined && payload['token'] === held.token;
  if (held !== undefined && !renews) return { acquired: false, ...facts(name, held) };
  const nowMs = Date.now();
  const lock: Lock = {
    token: renews ? held.token : randomUUID(),
    holder: renews ? held.holder : holder,
    sinceMs: renews ? held.sinceMs : nowMs,
    untilMs: nowMs + ttlSeconds * 1000,
  };
  locks.set(name, lock);
  return { acquired: true, token: lock.token, ...facts(name, lock) };
}

function release(locks: Map<string, Lock>, payload: Record<string, unknown>): unknown {
  const name = textIn(payload, 'release');
  const token = textIn(payload, 'token');
  const released = locks.get(name)?.token === token;
  if (released) locks.delete(name);
  return { released, name };
}

/** What all may know of a lock; its token is for its holder alone. */
function facts(name: string, lock: Lock): Record<string, unknown> {
  return {
    name,
    holder: lock.holder,
    since: new Date(lock.sinceMs).toISOString(),
    until: new Date(lock.untilMs).toISOString(),
  };
}

function textIn(payload: Record<string, unknown>, key: string): string {
  const value = Object.hasOwn(payload, key) ? payload[key] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new PayloadError(`"${key}" must be a string that is not empty`);
}

function send(frame: unknown): void {
  process.stdout.write(`${JSON.stringify(frame)}\n`);
}
