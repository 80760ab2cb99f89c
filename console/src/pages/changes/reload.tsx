import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { numberOf, type ReloadedFile, type ReloadReport } from '../../model/history.js';
import { linesOf } from '../../model/json-changes.js';
import { hrefOf } from '../../model/route.js';
import type { Session } from '../../model/session.js';
import { useStore } from '../../model/store.js';
import { FaultBox } from '../../parts/fault-box.js';
import { ManifestFaults } from '../../parts/manifest-faults.js';
import { Outcome } from '../../parts/outcome.js';
import { Time } from '../../parts/time.js';
import { Fault } from '../../wire/fault.js';

interface Props {
  readonly session: Session;
  readonly nodeId: string;
  readonly n: number;
}

/** One reload of a node's manifests: every file that it looked at, and what became of it. */
export function ReloadPage({ session, nodeId, n }: Props): JSX.Element {
  const { control } = session;
  const state = useStore(control.state);
  const [report, setReport] = useState<ReloadReport | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  const [newest, setNewest] = useState(n);
  useEffect(() => {
    if (state !== 'open') return;
    control.request('reload_get', { node_id: nodeId, n }).then(
      (found) => {
        setReport(found);
        setFault(null);
      },
      (thrown: unknown) => setFault(Fault.from(thrown)),
    );
  }, [control, state]);
  useEffect(
    () =>
      control.watch({
        reset: () => undefined,
        event: ({ kind, node_id, details }) => {
          if (kind === 'node_reload_report' && node_id === nodeId)
            setNewest((known) => Math.max(known, (details as { n: number }).n));
        },
      }),
    [control],
  );
  if (fault !== null) return <FaultBox fault={fault} />;
  if (report === null) return <p class="faint">Loading…</p>;
  const files = [...report.files].sort((one, other) => rank(one) - rank(other));
  return (
    <>
      <p role="status">
        <Time ms={report.timestamp_ms} />{' '}
        <span class="faint">{report.reason === 'start' ? 'at the start of the node' : 'files changed'}</span>
        {newest > n && (
          <>
            {' '}
            <a href={hrefOf('changes', 'reload', nodeId, String(newest))}>There is a newer reload</a>
          </>
        )}
      </p>
      {report.folders.map(({ path, message, hint }) => (
        <div key={path} class="fault" role="group" aria-label={path}>
          <p>
            <strong>✕</strong> {message}
          </p>
          {hint != null && <p>{hint}</p>}
        </div>
      ))}
      {files.map((file) => (
        <FileReport key={file.path} atMs={report.timestamp_ms} {...{ session, nodeId, file }} />
      ))}
      {report.more > 0 && <p class="faint">{report.more} more files are not in this report.</p>}
    </>
  );
}

const ORDER = ['refused', 'last-good', 'added', 'updated', 'removed', 'disabled', 'kept', 'unchanged'];
const rank = ({ outcome }: ReloadedFile): number => ORDER.indexOf(outcome);

function FileReport({
  session,
  nodeId,
  atMs,
  file,
}: {
  readonly session: Session;
  readonly nodeId: string;
  /** When it was reloaded. */
  readonly atMs: number;
  readonly file: ReloadedFile;
}): JSX.Element {
  const { path, outcome, services, version, previous_version, fields, faults, warnings } = file;
  return (
    <article class="reloaded" aria-label={path}>
      <div class="bar">
        <h2 class="mono">{path}</h2>
        <Outcome outcome={outcome} />
        {services.map((service) => (
          <a key={service} href={hrefOf('changes', 'of', nodeId, service)}>
            {service}
          </a>
        ))}
        {version !== null && (
          <span class="faint">
            version {previous_version !== null && previous_version !== version && `${previous_version} → `}
            {version}
          </span>
        )}
        {fields.length > 0 && (
          <span class="fields">
            {fields.map((field) => (
              <code key={field}>{field === '' ? 'much of it' : field}</code>
            ))}
          </span>
        )}
      </div>
      {faults.length > 0 && (
        <div class="two">
          <div>
            <h3>On disk</h3>
            <ManifestFaults kind="error" file={path} faults={faults} />
          </div>
          {file.still_runs === null ? (
            <div>
              <h3>What runs</h3>
              <p class="faint">Nothing of this file runs.</p>
            </div>
          ) : (
            <StillRuns
              session={session}
              nodeId={nodeId}
              serviceId={file.still_runs.service_id}
              version={file.still_runs.version}
              atMs={atMs}
              pointers={faults.flatMap(({ pointer }) => pointer ?? [])}
            />
          )}
        </div>
      )}
      {warnings.length > 0 && <ManifestFaults kind="warning" file={path} faults={warnings} />}
      {faults.length > 0 && (
        <p>
          <a href={hrefOf('changes', 'plan', nodeId, path)}>Try a mended manifest</a>
        </p>
      )}
    </article>
  );
}

/** The version that runs in place of the one on disk, with the fields marked that are at fault there. */
function StillRuns({
  session,
  nodeId,
  serviceId,
  version,
  atMs,
  pointers,
}: {
  readonly session: Session;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly version: string;
  readonly atMs: number;
  readonly pointers: readonly string[];
}): JSX.Element {
  const [descriptor, setDescriptor] = useState<unknown>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  useEffect(() => {
    descriptorAt(session, nodeId, serviceId, atMs).then(setDescriptor, (thrown: unknown) =>
      setFault(Fault.from(thrown)),
    );
  }, []);
  const lines = useMemo(() => (descriptor === null ? [] : linesOf(descriptor)), [descriptor]);
  const wanted = useMemo(() => pointers.map((pointer) => nearest(lines, pointer)), [lines]);
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const mark = box.current?.querySelector('mark');
    // What is marked may lie far below.
    if (mark != null && box.current !== null)
      box.current.scrollTop = mark.offsetTop - box.current.offsetTop - box.current.clientHeight / 3;
  }, [lines]);
  return (
    <div>
      <h3>
        What runs: <a href={hrefOf('services', nodeId, serviceId)}>{serviceId}</a>, version {version}
      </h3>
      {fault !== null && <FaultBox fault={fault} />}
      {descriptor !== null && (
        <pre ref={box} class="running" tabIndex={0} aria-label={`${serviceId} as it runs`}>
          {lines.map(({ text, at }, line) =>
            wanted.some((pointer) => pointer !== '' && (at === pointer || at.startsWith(`${pointer}/`))) ? (
              <mark key={line}>{`${text}\n`}</mark>
            ) : (
              `${text}\n`
            ),
          )}
        </pre>
      )}
    </div>
  );
}

/** What ran at that time: by now it may be another version. Null where that is not kept. */
async function descriptorAt(
  { control }: Session,
  node_id: string,
  service_id: string,
  atMs: number,
): Promise<unknown> {
  for (let after: string | undefined, first = true; first || after !== undefined; first = false) {
    const page = await control.request('history_list', {
      ...{ node_id, service_id, limit: 500 },
      ...(after === undefined ? {} : { after }),
    });
    const change = page.changes.find(({ timestamp_ms }) => timestamp_ms <= atMs);
    if (change !== undefined)
      return (await control.request('history_get', { node_id, service_id, n: numberOf(change) })).descriptor;
    after = page.next;
  }
  return null;
}

/** The place itself or, where the document has no such, what it would be in. */
function nearest(lines: ReturnType<typeof linesOf>, pointer: string): string {
  let place = pointer;
  while (place !== '' && !lines.some(({ at }) => at === place))
    place = place.slice(0, place.lastIndexOf('/'));
  return place;
}
