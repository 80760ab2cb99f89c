// npm run bench:agents [-- --json FILE]: the same tasks by files, by MCP and by commands, and what each costs.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, chmodSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { program } from '../acheron.js';
import { plainEnvironment } from '../tools.js';
import { serve } from '../served.js';
import { mcpWay } from './mcp-way.js';
import { byModel, modelFromEnvironment } from './model.js';
import { SCRIPTS } from './scripted.js';
import { shellWay } from './shell-way.js';
import { MORE_SERVICES, TASKS, type Task } from './tasks.js';
import type { Use, Way } from './way.js';

const { values: options } = parseArgs({ options: { json: { type: 'string' } } });

interface Measured {
  readonly task: string;
  readonly tokens: number;
  /** What was read and written after the first call of a task that needs another, but for the result. */
  readonly repair: number | null;
  readonly steps: number;
  readonly success: boolean;
}

/** All that an agent must know of the command line. */
const COMMANDS = `acheron cat /nodes/INDEX.tsv lists services: id, what it is for, path.
acheron cat /nodes/local/services/ID/README.md says how one is called.
acheron invoke -q ID '{JSON}' calls it and prints its result, or an errno, what happened and what to do.
`;

const tokensOf = (text: string): number => encode(text).length;
const folder = mkdtempSync(join(tmpdir(), 'acheron-agents-'));

try {
  await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const services = join(folder, 'services');
  const mnt = join(folder, 'mnt');
  const stateDir = join(folder, 'state');
  for (const dir of [services, mnt]) mkdirSync(dir);
  MORE_SERVICES.forEach((manifest, at) =>
    writeFileSync(join(services, `${at}.json`), JSON.stringify(manifest)),
  );
  const env = plainEnvironment();
  const up = ['up', mnt, '--state-dir', stateDir, '--services-dir', services, '--role', 'user'];
  const served = await serve(mnt, process.execPath, [program, ...up], (line) => line.includes(mnt), env);
  try {
    const report: Record<string, unknown> = {};
    const model = modelFromEnvironment(process.env);
    for (const way of await waysTo(mnt, stateDir)) {
      const script = SCRIPTS[way.name];
      if (script !== undefined) report[way.name] = await measure(way, (task, use) => script(task, way, use));
      if (model !== undefined)
        report[`${way.name}, ${model.name}`] = await measure(way, (task, use) =>
          byModel(model, task, way, use),
        );
      await way.close();
    }
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    await served.stop();
  }
}

async function waysTo(mnt: string, stateDir: string): Promise<Way[]> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'acheron'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(join(bin, 'acheron'), 0o755);
  symlinkSync(process.execPath, join(bin, 'node'));
  const env = {
    ...plainEnvironment(),
    PATH: `${bin}:${process.env.PATH ?? ''}`,
    ACHERON_STATE_DIR: stateDir,
  };
  const commands = shellWay('cli', COMMANDS, { cwd: folder, env });
  const mcp = [program, 'mcp', '--state-dir', stateDir, '--patience', '2s'];
  return [
    shellWay('files', readFileSync(join(mnt, 'AGENTS.md'), 'utf8'), { cwd: mnt, env }),
    await mcpWay('mcp, all tools', process.execPath, mcp),
    await mcpWay('mcp, compact', process.execPath, [...mcp, '--compact']),
    commands,
  ];
}

async function measure(way: Way, agent: (task: Task, use: Use) => Promise<string>): Promise<object> {
  const measured: Measured[] = [];
  for (const task of TASKS) {
    let [tokens, steps, read, atError] = [0, 0, 0, null as number | null];
    const use: Use = async (name, args) => {
      steps++;
      const said = await way.use(name, args);
      if (/EINVAL/.test(said)) atError = tokens + tokensOf(JSON.stringify(args));
      read = tokensOf(said);
      tokens += tokensOf(JSON.stringify(args)) + read;
      return said;
    };
    const answer = await agent(task, use);
    const success = task.expect.test(answer);
    if (!success) process.stderr.write(`${way.name}: ${task.name}: ${answer.slice(0, 300)}\n`);
    measured.push({
      task: task.name,
      tokens,
      repair: atError === null ? null : tokens - atError - read,
      steps,
      success,
    });
  }
  const resident = tokensOf(way.resident);
  const mean = (numbers: readonly number[]): number =>
    Math.round(numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length));
  const repairs = measured.flatMap(({ repair }) => (repair === null ? [] : [repair]));
  const plain = measured.filter(({ repair }) => repair === null);
  const facts = {
    resident,
    tokens_a_task: mean(plain.map(({ tokens }) => tokens)),
    tokens_to_repair: mean(repairs),
    steps_a_task: measured.reduce((sum, { steps }) => sum + steps, 0) / measured.length,
    success: `${measured.filter(({ success }) => success).length}/${measured.length}`,
    all_tasks: resident + measured.reduce((sum, { tokens }) => sum + tokens, 0),
  };
  process.stdout.write(`${way.name}: ${JSON.stringify(facts)}\n`);
  return { ...facts, tasks: measured };
}
