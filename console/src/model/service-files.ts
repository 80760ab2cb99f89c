import type { FilesLink } from '../wire/files.js';
import { Fault } from '../wire/fault.js';

export const CONTROLS = ['enable', 'disable', 'restart', 'reset'] as const;
export type Control = (typeof CONTROLS)[number];

/** What a service's directory says of it. */
export interface ServiceFiles {
  readonly readme: string;
  readonly schema: unknown;
  readonly template: string;
  readonly health: Readonly<Record<string, unknown>> | null;
  readonly metrics: Readonly<Record<string, unknown>> | null;
  /** The config, where the session may change it. */
  readonly config: string | null;
  /** The controls that the session may use. */
  readonly may: ReadonlySet<Control | 'invoke'>;
}

export interface JobLine {
  readonly id: string;
  readonly state: string;
  readonly error: string | null;
  readonly startedAt: string | null;
  readonly durationMs: number | null;
  readonly by: string;
}

const JOBS_SHOWN = 12;

export const directoryOf = (nodeId: string, serviceId: string): string =>
  `nodes/${nodeId}/services/${serviceId}`;

/** @throws Fault ENOENT where there is no such service, or none that the session may see */
export async function readService(files: FilesLink, dir: string): Promise<ServiceFiles> {
  const readme = await files.readText(`${dir}/README.md`);
  const [schema, template, health, metrics, config, ...may] = await Promise.all([
    orNull(files.readText(`${dir}/SCHEMA.json`)),
    orNull(files.readText(`${dir}/TEMPLATE.json`)),
    orNull(files.readText(`${dir}/health.json`)),
    orNull(files.readText(`${dir}/metrics.json`)),
    configOf(files, dir),
    mayWrite(files, `${dir}/control/invoke.json`, 'invoke'),
    ...CONTROLS.map((control) => mayWrite(files, `${dir}/control/${control}`, control)),
  ]);
  return {
    readme,
    schema: inputOf(jsonOf(schema)),
    template: template ?? '{}',
    health: jsonOf(health) as ServiceFiles['health'],
    metrics: jsonOf(metrics) as ServiceFiles['metrics'],
    config,
    may: new Set(may.flatMap((one) => one ?? [])),
  };
}

async function configOf(files: FilesLink, dir: string): Promise<string | null> {
  const path = `${dir}/config.json`;
  return (await mayWrite(files, path, 'config')) === null ? null : orNull(files.readText(path));
}

/** The newest jobs that the session may see, newest first. */
export async function readJobs(files: FilesLink, dir: string): Promise<readonly JobLine[]> {
  const entries = await files.list(`${dir}/jobs`);
  const ids = entries
    .filter(({ kind, name }) => kind === 'dir' && name !== 'by-key')
    .map(({ name }) => name)
    .sort()
    .slice(-JOBS_SHOWN)
    .reverse();
  const jobs = await Promise.all(ids.map((id) => orNull(readJob(files, dir, id))));
  return jobs.flatMap((job) => job ?? []);
}

export async function readJob(files: FilesLink, dir: string, id: string): Promise<JobLine> {
  const status = JSON.parse(await files.readText(`${dir}/jobs/${id}/status.json`)) as {
    state: string;
    error: string | null;
    started_at: string | null;
    duration_ms: number | null;
    by: { role: string; agent_id: string | null; project_id: string | null };
  };
  const { role, agent_id, project_id } = status.by;
  return {
    id,
    state: status.state,
    error: status.error,
    startedAt: status.started_at,
    durationMs: status.duration_ms,
    by: [role, agent_id, project_id].filter(Boolean).join(' · '),
  };
}

/** Null for what is not there, or is not shown now: an offline node has no live files. */
async function orNull<Value>(wanted: Promise<Value>): Promise<Value | null> {
  try {
    return await wanted;
  } catch (thrown) {
    if (Fault.from(thrown).code === 'EHOSTDOWN' && Fault.from(thrown).message === Fault.lost().message)
      throw thrown;
    return null;
  }
}

async function mayWrite<Name extends string>(
  files: FilesLink,
  path: string,
  name: Name,
): Promise<Name | null> {
  const found = await orNull(files.stat(path));
  return found?.mode.includes('w') === true ? name : null;
}

function jsonOf(text: string | null): unknown {
  return text === null ? null : (JSON.parse(text) as unknown);
}

/** SCHEMA.json has the schema of the request as `input`, or is it. */
function inputOf(schema: unknown): unknown {
  const { input } = (schema ?? {}) as { input?: unknown };
  return input ?? schema;
}
