import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { findJob } from '../../worldfs/index.js';
import { durationMs } from '../duration.js';
import { EXIT } from '../failure.js';
import { followProgress } from '../follow-job.js';
import { option } from '../options.js';
import { ProgressBar } from '../progress-bar.js';
import { openFile, readText, targetOf, WRITE } from '../read-file.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';
import { writeError, writeOut } from '../write-out.js';

type WaitFlags = AccessFlags & { readonly timeout: number };

/** Of `status.json` of a job what matters here. */
interface JobStatus {
  readonly state: string;
  readonly errno: string | null;
  readonly error: string | null;
}

const DEFAULT_MS = 600_000;

export function waitCommand(): Command {
  const command = new Command('wait')
    .description(
      'Wait until a job has ended and print its result. Exits 0 when it succeeded, 1 when it failed or still runs.',
    )
    .argument('<job>', 'an invocation id, or the path of a job')
    .addOption(
      option('--timeout <duration>', 'how long to wait at most: 30s, 15m, 2h')
        .argParser(durationMs)
        .default(DEFAULT_MS, '10m'),
    );
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ acheron wait "$(jq -r .invocation_id < reply.json)" --timeout 1m
  $ acheron wait /nodes/local/services/countdown/jobs/by-key/tea`,
    )
    .action((job: string, flags: WaitFlags) => wait(job, flags));
}

async function wait(job: string, flags: WaitFlags): Promise<void> {
  const tree = await openTree(flags);
  try {
    const path = await targetOf(tree, await findJob(tree.root, job, tree.op()));
    await withBar(tree, path, () => writeSeconds(tree, `${path}/wait`, flags.timeout / 1000));
    const status = JSON.parse(await readText(tree, `${path}/status.json`)) as JobStatus;
    if (status.state === 'ok') await writeOut(await readText(tree, `${path}/result.json`));
    else {
      process.exitCode = EXIT.failed;
      writeError(`${status.errno ?? 'EIO'}: ${status.error ?? 'It failed.'}\n`);
    }
  } finally {
    await tree.close();
  }
}

/** A terminal shows meanwhile how far the job is. */
async function withBar(tree: Tree, job: string, wait: () => Promise<void>): Promise<void> {
  const bar = ProgressBar.open();
  if (bar === null) return wait();
  const over = new AbortController();
  // That it cannot be followed is no reason not to wait.
  const followed = followProgress(tree, job, over.signal, (shown) => bar.show(shown)).catch(() => undefined);
  try {
    await wait();
  } finally {
    over.abort();
    await followed;
    bar.end();
  }
}

/** @throws FsError ETIMEDOUT when the job has not ended then; ECANCELED when the user does not want to wait. */
async function writeSeconds(tree: Tree, path: string, seconds: number): Promise<void> {
  const enough = new AbortController();
  const abandon = (): void =>
    enough.abort(new FsError('ECANCELED', 'The job was not waited for; it runs on.'));
  process.once('SIGINT', abandon).once('SIGTERM', abandon);
  const handle = await openFile(tree, path, WRITE);
  try {
    await handle.write(0, Buffer.from(`${seconds}\n`), tree.op(enough.signal));
  } finally {
    process.off('SIGINT', abandon).off('SIGTERM', abandon);
    await handle.release();
  }
}
