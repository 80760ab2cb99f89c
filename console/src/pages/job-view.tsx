import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { JobLine } from '../model/service-files.js';
import { FaultBox } from '../parts/fault-box.js';
import { Output } from '../parts/output.js';
import { Progress } from '../parts/progress.js';
import { StateBadge } from '../parts/state-badge.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';
import { JobQuestion } from './job-question.js';

interface Props {
  readonly files: FilesLink;
  readonly dir: string;
  readonly job: JobLine;
}

/** One job: how it fares, what it prints as it comes, and its reply. */
export function JobView({ files, dir, job }: Props): JSX.Element {
  const path = `${dir}/jobs/${job.id}`;
  const isRunning = job.state === 'running';
  const [reply, setReply] = useState<string | null>(null);
  const [fault, setFault] = useState<Fault | null>(null);
  useEffect(() => {
    let isShown = true;
    setReply(null);
    if (job.state === 'ok')
      files.readText(`${path}/result.json`).then(
        (text) => isShown && setReply(text),
        (thrown: unknown) => isShown && setFault(Fault.from(thrown)),
      );
    return () => {
      isShown = false;
    };
  }, [path, job.state]);
  const cancel = async (): Promise<void> => {
    try {
      await files.write(`${path}/cancel`, 'cancel\n');
      setFault(null);
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
  };
  return (
    <section class="job" aria-label={`Job ${job.id}`}>
      <div class="bar">
        <h3 class="mono">{job.id}</h3>
        <span role="status">
          <StateBadge state={job.state} />
        </span>
        {job.durationMs !== null && <span class="faint">{job.durationMs} ms</span>}
        <span class="faint">{job.by}</span>
        {isRunning && (
          <button type="button" onClick={() => void cancel()}>
            Cancel this job
          </button>
        )}
      </div>
      {fault !== null && <FaultBox fault={fault} />}
      {job.error !== null && <p class="failed">{job.error}</p>}
      {isRunning && <JobQuestion files={files} path={path} />}
      <Progress files={files} path={`${path}/progress.json`} isRunning={isRunning} />
      {reply !== null && (
        <section class="output">
          <h3>Reply</h3>
          <pre tabIndex={0} aria-label="Reply">
            {reply}
          </pre>
        </section>
      )}
      <Output label="stderr" files={files} path={`${path}/stderr`} isGrowing={isRunning} />
      <Output label="stdout" files={files} path={`${path}/stdout`} isGrowing={isRunning} />
    </section>
  );
}
