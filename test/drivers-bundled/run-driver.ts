import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';

/** The top of the checkout, seen from dist/test/drivers-bundled. */
export const top = resolve(import.meta.dirname, '../../..');
export const services = join(top, 'manifests/services');

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a manifest says about the program to run; the fields that these tests use. */
export interface BundledManifest {
  readonly service_id: string;
  readonly runtime: {
    readonly type: string;
    readonly mode?: string;
    readonly executable_path?: string;
    readonly args?: readonly string[];
    readonly env?: Record<string, string>;
  };
  readonly permissions: Record<string, unknown>;
  readonly schema?: { readonly input: object; readonly output?: object };
  readonly invoke_template?: Record<string, unknown>;
  readonly labels: Record<string, string>;
  readonly help_md: string;
}

export function manifestNames(): string[] {
  return readdirSync(services).filter((name) => name.endsWith('.json'));
}

export function readBundled(name: string): BundledManifest {
  return JSON.parse(readFileSync(join(services, name), 'utf8')) as BundledManifest;
}

/** Starts a bundled service's program as its manifest says, with top-level placeholders filled in. */
export function startDriver(
  service: string,
  payload: Record<string, unknown>,
): ChildProcessWithoutNullStreams {
  const { runtime } = readBundled(`${service}.json`);
  const file = join(services, `${service}.json`);
  const program = runtime.executable_path!;
  const args = (runtime.args ?? []).map((arg) =>
    arg.replace(/\{payload\.(\w+)\}/g, (_, key: string) => String(payload[key])),
  );
  return spawn(
    program.includes('/') && !isAbsolute(program) ? resolve(dirname(file), program) : program,
    args,
    {
      cwd: dirname(file),
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...runtime.env },
    },
  );
}

/** Runs it to its end; `stdin` is the payload's text unless it is to be something else. */
export async function runDriver(
  service: string,
  payload: Record<string, unknown>,
  stdin = JSON.stringify(payload),
): Promise<Ended> {
  const child = startDriver(service, payload);
  child.stdin.on('error', () => undefined); // a program that does not read its stdin may have closed it
  child.stdin.end(stdin);
  return ended(child);
}

export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
