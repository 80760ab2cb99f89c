// npm run bench [-- --only NAME[,NAME] --rounds N --seconds S --json FILE --list]
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleProgram } from './acheron.js';
import { CannotRun, type Bench, type BenchCase, type Row } from './bench.js';
import { cases } from './cases/index.js';
import { tableFromRows } from './table.js';
import { buildTools, type Tools } from './tools.js';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.5' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const rounds = positive('rounds', options.rounds);
const seconds = positive('seconds', options.seconds);
const chosen = chosenCases(options.only);
if (options.list) {
  for (const { name, title } of chosen) print(`${name.padEnd(20)} ${title}`);
} else {
  await runAll();
}

async function runAll(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'acheron-bench-'));
  let tools: Promise<Tools> | undefined;
  const bench: Bench = {
    rounds,
    seconds,
    folder,
    tools: () => (tools ??= buildTools()),
    say: (line) => process.stderr.write(`  ${line}\n`),
  };
  const machine = {
    node: process.version,
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
  };
  print(
    `Node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} x ${machine.cpu}; medians of ${rounds} rounds`,
  );
  const report: Record<string, unknown> = {
    format: 1,
    taken_at: new Date().toISOString(),
    machine,
    rounds,
    seconds,
  };
  const results: Record<string, { title: string; rows?: readonly Row[]; skipped?: string }> = {};
  try {
    await bundleProgram();
    for (const each of chosen) {
      print(`\n${each.name}: ${each.title}`);
      try {
        const rows = await each.run(bench);
        results[each.name] = { title: each.title, rows };
        print(tableFromRows(rows));
      } catch (error) {
        if (!(error instanceof CannotRun)) throw error;
        results[each.name] = { title: each.title, skipped: error.message };
        print(`cannot run: ${error.message}`);
      }
    }
  } finally {
    // A mount that outlived its server is worth a word, and no reason to lose the figures.
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      bench.say(`${folder} is left behind: ${(error as Error).message}`),
    );
  }
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ ...report, cases: results }, null, 2)}\n`);
}

function chosenCases(only: string | undefined): readonly BenchCase[] {
  if (only === undefined) return cases;
  return only.split(',').map((name) => {
    const found = cases.find((each) => each.name === name);
    if (found === undefined)
      return fail(`there is no case ${name}; there are ${cases.map((each) => each.name).join(', ')}`);
    return found;
  });
}

function positive(name: string, text: string): number {
  const value = Number(text);
  return value > 0 ? value : fail(`--${name} must be a number above 0`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(sentence: string): never {
  process.stderr.write(`bench: ${sentence}\n`);
  process.exit(2);
}
