import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { gathered } from '../model/gathered.js';
import { hrefOf } from '../model/route.js';
import { sampleFrom, withSample, type Sample } from '../model/samples.js';
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
import { moveByArrows } from '../parts/arrow-keys.js';
import { FaultBox } from '../parts/fault-box.js';
import { Markdown } from '../parts/markdown.js';
import { StateBadge } from '../parts/state-badge.js';
import { Fault } from '../wire/fault.js';
import { CallForm } from './call-form.js';
import { JobRequest } from './job-request.js';
import { JobView } from './job-view.js';
import { ServiceConfig } from './service-config.js';
import { ServiceHealth } from './service-health.js';
import { ServiceMetrics } from './service-metrics.js';
import { Terminal } from './terminal.js';

/** Of a service that is called often it is looked so often. */
const LOOK_MS = 250;
const TICK_MS = 10_000;
/** Of so many jobs of this page the keys are remembered. */
const MAX_KEYS = 200;

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
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const [typed, setTyped] = useState<string | null>(null);
  const keys = useRef(new Map<string, string>());
  const view = useStore(session.catalog.view);
  const kind = useMemo(() => session.catalog.find(nodeId, serviceId)?.kind, [view]);
  const load = useMemo(() => {
    const look = async (): Promise<void> => {
      try {
        const found = await readService(files, dir);
        // A service without a runtime has no jobs.
        const listed = await readJobs(files, dir).catch(() => []);
        const { metrics } = found;
        if (metrics !== null) setSamples((before) => withSample(before, sampleFrom(metrics, Date.now())));
        setService(found);
        setJobs(listed);
        setFault(null);
      } catch (thrown) {
        const failed = Fault.from(thrown);
        // What is shown stays while the connection is away; what is hidden from now on does not.
        if (failed.code === 'EHOSTDOWN') return;
        setService(null);
        setJobs([]);
        setFault(failed);
      }
    };
    return gathered(look, LOOK_MS);
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
  // Time goes on where nothing happens: what was called a minute ago is no call of the last minute.
  useEffect(() => {
    const timer = setInterval(
      () =>
        setSamples((before) => {
          const last = before.at(-1);
          return last === undefined ? before : withSample(before, { ...last, atMs: Date.now() });
        }),
      TICK_MS,
    );
    return () => clearInterval(timer);
  }, []);
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
          {kind === 'terminal' ? (
            <Terminal
              {...{ files, dir, jobs }}
              mayInvoke={service.may.has('invoke')}
              onJob={() => void load()}
            />
          ) : service.may.has('invoke') || service.schema !== null ? (
            <CallForm
              {...{ files, nodeId, serviceId, dir, typed }}
              schema={service.schema}
              template={service.template}
              mayInvoke={service.may.has('invoke')}
              onTyped={setTyped}
              onJob={(id, key) => {
                if (key !== '') remember(keys.current, id, key);
                setChosen(id);
                void load();
              }}
            />
          ) : null}
          {kind !== 'terminal' && job !== undefined && (
            <section aria-labelledby="jobs" class="jobs">
              <h2 id="jobs">Jobs</h2>
              <div
                class="jobs-list"
                role="group"
                aria-label="Newest jobs"
                onKeyDown={(event) => moveByArrows(event)}
              >
                {jobs.map(({ id, state: how }) => (
                  <button type="button" key={id} aria-pressed={id === job.id} onClick={() => setChosen(id)}>
                    <StateBadge state={how} /> <span class="mono">{id}</span>
                  </button>
                ))}
              </div>
              <JobView key={job.id} files={files} dir={dir} job={job} />
              <JobRequest
                key={`request ${job.id}`}
                files={files}
                path={`${dir}/jobs/${job.id}`}
                jobKey={keys.current.get(job.id)}
                onRequest={setTyped}
              />
            </section>
          )}
          {service.health !== null && (
            <ServiceHealth {...{ session, nodeId, serviceId }} health={service.health} />
          )}
          {service.metrics !== null && <ServiceMetrics metrics={service.metrics} samples={samples} />}
          {service.config !== null && (
            <ServiceConfig {...{ files, dir }} config={service.config} onSaved={() => void load()} />
          )}
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

function remember(keys: Map<string, string>, id: string, key: string): void {
  keys.set(id, key);
  const [oldest] = keys.keys();
  if (keys.size > MAX_KEYS && oldest !== undefined) keys.delete(oldest);
}
