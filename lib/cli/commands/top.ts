import { Command } from 'commander';
import { FsError } from '../../core/index.js';
import { integer, jsonOption } from '../options.js';
import { printJson, printTable } from '../print.js';
import { stopAsked } from '../stop-asked.js';
import { arranged, columnsFor, type JobRow, type ServiceRow } from '../top/service-table.js';
import { ServiceWatch } from '../top/service-watch.js';
import { TopScreen } from '../top/top-screen.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';

interface TopFlags extends AccessFlags {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly filter: string;
  readonly limit: number;
}

/** Rates are counted, and what is seen is read again, so often. */
const TURN_MS = 1000;
const DEFAULT_LIMIT = 500;

export function topCommand(): Command {
  const command = new Command('top')
    .description(
      'Show services and the calls that run, live: calls a second, latencies, failures, health, queues, progress. Keys\nsort, filter, show the output of a call and cancel it; ? lists them.',
    )
    .option('--filter <words>', 'services with these words in node, name or health', '')
    .option('--once', 'print one table and end; so without a terminal')
    .option('--limit <count>', 'so many services at the most, printed once', integer(1), DEFAULT_LIMIT)
    .addOption(jsonOption());
  return addAccessOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ acheron top\n  $ acheron top --once --filter offline\n  $ acheron top --json | jq .jobs',
    )
    .action((flags: TopFlags) => top(flags));
}

async function top(flags: TopFlags): Promise<void> {
  const tree = await openTree(flags);
  const watch = new ServiceWatch(tree);
  try {
    const isAtTerminal = process.stdout.isTTY && process.stdin.isTTY && process.env['TERM'] !== 'dumb';
    if (isAtTerminal && flags.once !== true && flags.json !== true) await live(watch, tree, flags.filter);
    else await once(watch, flags);
  } finally {
    watch.close();
    await tree.close();
  }
}

async function live(watch: ServiceWatch, tree: Tree, filter: string): Promise<void> {
  const stopped = stopAsked();
  await watch.list();
  await new Promise<void>((resolve) => {
    const screen = new TopScreen(watch, tree, filter, () => end());
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
      screen.leave();
      resolve();
    };
    const turn = async (): Promise<void> => {
      try {
        await watch.turn(screen.seen);
      } catch (thrown) {
        const { code, sentence } = FsError.from(thrown);
        screen.say(`${code}: ${sentence}`);
      }
      if (isOver) return;
      screen.draw();
      timer = setTimeout(() => void turn(), TURN_MS);
    };
    void stopped.then(end);
    screen.draw();
    void turn();
  });
}

async function once(watch: ServiceWatch, { json, filter, limit }: TopFlags): Promise<void> {
  await watch.list();
  const order = { filter: '', column: 0, isDescending: false };
  const named = arranged(watch.rows, { ...order, filter });
  // Where no name fits, the words may be about health, which has to be read first.
  const asked = (named.length > 0 ? named : arranged(watch.rows, order)).slice(0, limit);
  await watch.turn(asked);
  const rows = arranged(watch.rows, { ...order, filter }).slice(0, limit);
  if (json === true)
    return printJson({ services: rows.map(documentOf), jobs: watch.jobs.map(documentOfJob) });
  const { columns } = columnsFor(process.stdout.isTTY ? process.stdout.columns : Infinity);
  await printTable(
    columns.map(({ title }) => title),
    rows.map((row) => columns.map(({ text }) => text(row))),
  );
  if (watch.jobs.length === 0) return;
  await printTable(
    ['JOB', 'SERVICE', 'BY', 'DONE', 'TOTAL', 'MESSAGE'],
    watch.jobs.map(({ id, service, by, progress }) => [
      id,
      `${service.node}/${service.service}`,
      by,
      progress?.done,
      progress?.total,
      progress?.message,
    ]),
  );
}

function documentOf({
  node,
  service,
  health,
  calls,
  p50,
  p95,
  failures,
  running,
  queued,
}: ServiceRow): object {
  const duration_ms = { p50, p95 };
  return {
    node_id: node,
    service_id: service,
    health,
    invokes_total: calls,
    duration_ms,
    failures_total: failures,
    running,
    queued,
  };
}

function documentOfJob({ id, service, path, by, progress }: JobRow): object {
  return { invocation_id: id, node_id: service.node, service_id: service.service, path, by, progress };
}
