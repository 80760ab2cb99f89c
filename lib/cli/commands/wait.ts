import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { durationMs } from '../duration.js';
import { EXIT } from '../failure.js';
import { Client } from '../../client/index.js';
import { followProgress } from '../../worldfs/index.js';
import { option } from '../options.js';
import { ProgressBar } from '../progress-bar.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';
import { writeError, writeOut } from '../write-out.js';

type WaitFlags = AccessFlags & { readonly timeout: number };

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

async function wait(name: string, flags: WaitFlags): Promise<void> {
  const tree = await openTree(flags);
  const enough = new AbortController();
  const abandon = (): void =>
    enough.abort(new FsError('ECANCELED', 'The job was not waited for; it runs on.'));
  process.once('SIGINT', abandon).once('SIGTERM', abandon);
  try {
    const job = await new Client(tree).job(name);
    const options = { signal: enough.signal, timeoutMs: flags.timeout };
    const status = await withBar(tree, job.path, () => job.wait(options));
    if (status.state === 'ok') await writeOut(await job.resultText());
    else {
      process.exitCode = EXIT.failed;
      writeError(`${status.errno ?? 'EIO'}: ${status.error ?? 'It failed.'}\n`);
    }
  } finally {
    process.off('SIGINT', abandon).off('SIGTERM', abandon);
    await tree.close();
  }
}

/** A terminal shows meanwhile how far the job is. */
async function withBar<Ended>(tree: Tree, job: string, wait: () => Promise<Ended>): Promise<Ended> {
  const bar = ProgressBar.open();
  if (bar === null) return wait();
  const over = new AbortController();
  // That it cannot be followed is no reason not to wait.
  const followed = followProgress(tree, job, over.signal, (shown) => bar.show(shown)).catch(() => undefined);
  try {
    return await wait();
  } finally {
    over.abort();
    await followed;
    bar.end();
  }
}
