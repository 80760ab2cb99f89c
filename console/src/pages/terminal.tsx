import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { JobLine } from '../model/service-files.js';
import { FaultBox } from '../parts/fault-box.js';
import { Output } from '../parts/output.js';
import { StateBadge } from '../parts/state-badge.js';
import { Fault } from '../wire/fault.js';
import type { FilesLink } from '../wire/files.js';

interface Props {
  readonly files: FilesLink;
  readonly dir: string;
  /** Newest first. */
  readonly jobs: readonly JobLine[];
  readonly mayInvoke: boolean;
  readonly onJob: () => void;
}

/** Commands on the node: a line to type, and what came of those before, the newest beside it. */
export function Terminal({ files, dir, jobs, mayInvoke, onJob }: Props): JSX.Element {
  const [command, setCommand] = useState('');
  const [cwd, setCwd] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault | null>(null);
  const typed = useRef<{ lines: string[]; at: number }>({ lines: [], at: 0 });
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      const request = { command, ...(cwd === '' ? {} : { cwd }) };
      await files.exchange(`${dir}/control/submit.json`, `${JSON.stringify(request)}\n`);
      const lines = [...typed.current.lines, command].slice(-MAX_TYPED);
      typed.current = { lines, at: lines.length };
      setFault(null);
      setCommand('');
      onJob();
    } catch (thrown) {
      setFault(Fault.from(thrown));
    }
    setBusy(false);
  };
  const recall = (by: number): void => {
    const { lines, at } = typed.current;
    const next = Math.max(0, Math.min(lines.length, at + by));
    typed.current.at = next;
    setCommand(lines[next] ?? '');
  };
  return (
    <section class="terminal" aria-labelledby="terminal">
      <h2 id="terminal">Terminal</h2>
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          if (command !== '' && !isBusy) void run();
        }}
      >
        <label class="grow">
          <span class="label">Command, for /bin/sh</span>
          <input
            type="text"
            class="mono"
            value={command}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            onInput={({ currentTarget }) => setCommand(currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
              event.preventDefault();
              recall(event.key === 'ArrowUp' ? -1 : 1);
            }}
          />
        </label>
        <label>
          <span class="label">Where (may be left out)</span>
          <input
            type="text"
            class="mono"
            value={cwd}
            placeholder="home"
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => setCwd(currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary" disabled={!mayInvoke || isBusy || command === ''}>
          Run
        </button>
        {!mayInvoke && <span class="faint">This session may not run commands now.</span>}
      </form>
      {fault !== null && <FaultBox fault={fault} />}
      {jobs.map((job) => (
        <Ran key={job.id} files={files} path={`${dir}/jobs/${job.id}`} job={job} />
      ))}
    </section>
  );
}

/** How many commands the arrow keys bring back. */
const MAX_TYPED = 100;

function Ran({
  files,
  path,
  job,
}: {
  readonly files: FilesLink;
  readonly path: string;
  readonly job: JobLine;
}): JSX.Element {
  const [command, setCommand] = useState('');
  const [exitCode, setExitCode] = useState<number | null>(null);
  const isRunning = job.state === 'running';
  useEffect(() => {
    files.readText(`${path}/request.json`).then(
      (text) => setCommand(commandIn(text)),
      () => setCommand(''), // It is forgotten by now; what it printed is still shown.
    );
  }, [path]);
  useEffect(() => {
    if (job.state === 'ok')
      files.readText(`${path}/result.json`).then(
        (text) => setExitCode((JSON.parse(text) as { exit_code: number | null }).exit_code),
        () => setExitCode(null),
      );
  }, [path, job.state]);
  return (
    <article class="job" aria-label={command}>
      <div class="bar">
        <h3 class="mono">$ {command}</h3>
        <span role="status">
          {exitCode !== null && exitCode !== 0 ? (
            <span class="failed">✕ exit {exitCode}</span>
          ) : (
            <StateBadge state={job.state} />
          )}
        </span>
        {job.durationMs !== null && <span class="faint">{job.durationMs} ms</span>}
        {isRunning && (
          <button type="button" onClick={() => void files.write(`${path}/cancel`, 'cancel\n')}>
            Cancel
          </button>
        )}
      </div>
      {job.error !== null && <p class="failed">{job.error}</p>}
      <Output label="stdout" files={files} path={`${path}/stdout`} isGrowing={isRunning} />
      <Output label="stderr" files={files} path={`${path}/stderr`} isGrowing={isRunning} />
    </article>
  );
}

function commandIn(request: string): string {
  try {
    const { command, argv } = JSON.parse(request) as { command?: unknown; argv?: unknown };
    if (typeof command === 'string') return command;
    if (Array.isArray(argv)) return argv.map((word) => JSON.stringify(word)).join(' ');
  } catch {
    // A request that was refused need not be JSON.
  }
  return request.trim();
}
