import type { JSX } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { hrefOf } from '../model/route.js';
import {
  CONTROLS,
  directoryOf,
  readJobs,
  readService,
  type Control,
  type JobLine,
  type ServiceFiles,
} from '../model/service-files.js';
import type { Session } from '../model/session.js';
import { useStore } from '../model/store.js';
import { FaultBox } from '../parts/fault-box.js';
import { Markdown } from '../parts/markdown.js';
import { StateBadge } from '../parts/state-badge.js';
import { Fault } from '../wire/fault.js';
import { CallForm } from './call-form.js';
import { JobView } from './job-view.js';

interface Props {
  readonly session: Session;
  readonly nodeId: string;
  readonly serviceId: string;
}

/** One service: what it says of itself, how it fares, and calls of it. */
export function ServicePage({ session, nodeId, serviceId }: Props): JSX.Element {
  const { files, control } = session;
  const dir = directoryOf(nodeId, serviceId);
  const state = useStore(files.state);
  const [service, setService] = useState<ServiceFiles | null>(null);
  const [jobs, setJobs] = useState<readonly JobLine[]>([]);
  const [chosen, setChosen] = useState<string | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const asked = useRef(0);
  const load = useCallback(async (): Promise<void> => {
    // Of several that run at a time, what the last to begin found is shown: others may have looked before a change.
    const turn = ++asked.current;
    try {
      const found = await readService(files, dir);
      // A service without a runtime has no jobs.
      const listed = await readJobs(files, dir).catch(() => []);
      if (turn !== asked.current) return;
      setService(found);
      setJobs(listed);
      setFault(null);
    } catch (thrown) {
      const failed = Fault.from(thrown);
      // What is shown stays while the connection is away; what is hidden from now on does not.
      if (failed.code === 'EHOSTDOWN' || turn !== asked.current) return;
      setService(null);
      setJobs([]);
      setFault(failed);
    }
  }, [files, dir]);
  useEffect(() => {
    if (state === 'open') void load();
  }, [state, load]);
  useEffect(
    () =>
      control.watch({
        reset: () => void load(),
        event: ({ node_id, kind, details, service_delta }) => {
          if (node_id !== nodeId) return;
          const about = (details as { service_id?: string } | undefined)?.service_id;
          if (
            about === serviceId ||
            (about === undefined && (service_delta !== undefined || kind.startsWith('node_')))
          )
            void load();
        },
      }),
    [control, load, nodeId, serviceId],
  );
  const act = async (name: Control): Promise<void> => {
    try {
      await files.write(`${dir}/control/${name}`, `${name}\n`);
      await load();
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
  };
  const job = jobs.find(({ id }) => id === chosen) ?? jobs[0];
  return (
    <section class="page" aria-labelledby="service">
      <div class="bar">
        <h1 id="service">
          <a href={hrefOf()}>Services</a> / {nodeId} / {serviceId}
        </h1>
        {service !== null && <Health health={service.health} />}
        {service !== null &&
          CONTROLS.filter((name) => service.may.has(name)).map((name) => (
            <button key={name} type="button" onClick={() => void act(name)}>
              {name[0]?.toUpperCase()}
              {name.slice(1)}
            </button>
          ))}
      </div>
      {fault !== null && (
        <FaultBox
          fault={
            fault.code === 'ENOENT'
              ? new Fault('ENOENT', 'There is no such service, or none that this session may see.')
              : fault
          }
        />
      )}
      {service === null && fault === null && <p class="faint">Loading…</p>}
      {service !== null && (
        <>
          {service.may.has('invoke') || service.schema !== null ? (
            <CallForm
              key={dir}
              {...{ files, nodeId, serviceId, dir }}
              schema={service.schema}
              template={service.template}
              mayInvoke={service.may.has('invoke')}
              onJob={(id) => {
                setChosen(id);
                void load();
              }}
            />
          ) : null}
          {job !== undefined && (
            <section aria-labelledby="jobs" class="jobs">
              <h2 id="jobs">Jobs</h2>
              <div class="jobs-list" role="group" aria-label="Newest jobs">
                {jobs.map(({ id, state: how }) => (
                  <button type="button" key={id} aria-pressed={id === job.id} onClick={() => setChosen(id)}>
                    <StateBadge state={how} /> <span class="mono">{id}</span>
                  </button>
                ))}
              </div>
              <JobView key={job.id} files={files} dir={dir} job={job} />
            </section>
          )}
          <Metrics metrics={service.metrics} />
          <section aria-label="README" class="readme">
            <Markdown text={service.readme} />
          </section>
        </>
      )}
    </section>
  );
}

function Health({ health }: { readonly health: ServiceFiles['health'] }): JSX.Element {
  const state = typeof health?.state === 'string' ? health.state : 'offline';
  const why = typeof health?.last_error === 'string' ? health.last_error : '';
  return (
    <span role="status">
      <StateBadge state={state} />
      {health?.enabled === false && ' disabled'}
      {why !== '' && <span class="faint"> {why}</span>}
    </span>
  );
}

const SHOWN = [
  ['invokes_total', 'calls'],
  ['failures_total', 'failed'],
  ['rejected_total', 'rejected'],
  ['running', 'running'],
  ['queued', 'queued'],
] as const;

function Metrics({ metrics }: { readonly metrics: ServiceFiles['metrics'] }): JSX.Element | null {
  if (metrics === null) return null;
  const durations = (metrics.duration_ms ?? {}) as Record<string, unknown>;
  const shown = [
    ...SHOWN.map(([name, label]) => [label, metrics[name]] as const),
    ...(['p50', 'p95', 'p99'] as const).map((name) => [`${name} ms`, durations[name]] as const),
  ];
  return (
    <dl class="totals">
      {shown
        .filter(([, value]) => typeof value === 'number')
        .map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{String(value)}</dd>
          </div>
        ))}
    </dl>
  );
}
