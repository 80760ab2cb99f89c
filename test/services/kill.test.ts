import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { JsonObject } from '../../lib/core/index.js';
import { SEED, extent } from '../support/extent.js';
import { seededRandom } from '../support/faulty-transport.js';
import type { KillRequest, NodeRequest } from '../support/kill-child-program.js';
import { inOneFile } from '../support/one-file.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const PROGRAM = await inOneFile(t, join(import.meta.dirname, '..', 'support', 'kill-child-program.js'));
const LANES = 2;
/** As many nodes, each with a state of its own, live in one process and are killed with it. */
const NODES_PER_LANE = 4;
/** Of nodes. */
const KILLS = extent('ACHERON_NODE_KILLS', { short: 64, long: 2000 });
const random = seededRandom(SEED);
const TIMEOUT_MS = 400_000 + 1000 * KILLS;
/** How long the load may go on before the kill. */
const LOAD_MS = 300;

interface Line {
  /** Which node of the process says it. */
  readonly at: number;
  readonly type: 'found' | 'begin' | 'done';
  readonly what: string;
  readonly n: number;
  readonly key: string;
  readonly reply: string;
  readonly control: string;
  readonly id: string;
}

interface Found {
  readonly services: Readonly<Record<string, Files>>;
  readonly again: readonly { key: string; n: number; reply: string }[];
  readonly ranAgain: number;
}

interface Files {
  readonly config: { v?: number };
  readonly metrics: { invokes_total: number; failures_total: number; running: number; queued: number };
  readonly health: { enabled: boolean };
  readonly status: { state: string; error: string | null; invocation_id: string | null };
  readonly result: { n?: number };
  readonly error: string;
}

/** What may be found after the kills so far. */
class Promised {
  begun: Line[] = [];
  done: Line[] = [];
  before: Found | null = null;
  kept: { key: string; n: number }[] = [];

  add(lines: readonly Line[]): void {
    this.begun.push(...lines.filter(({ type }) => type === 'begin'));
    this.done.push(...lines.filter(({ type }) => type === 'done'));
  }

  /** All that is wrong with what a start found; from then on it is the base. */
  faults(found: Found): string[] {
    const faults: string[] = [];
    const expect = (holds: boolean, what: string, ...facts: unknown[]): void => {
      if (!holds) faults.push(`${what}: ${JSON.stringify(facts)}`);
    };
    for (const [id, { metrics, status }] of Object.entries(found.services)) {
      expect(metrics.running === 0 && metrics.queued === 0, `${id} has nothing running`, metrics);
      expect(status.state !== 'running', `${id} is not running`, status);
      if (id !== 'switched') this.#counts(id, metrics, expect);
    }
    const { ok, switched, long, bad } = found.services;
    const config = this.#lastDone('config')?.n ?? this.before?.services.ok?.config.v;
    const configs = [config, ...this.#open('config').map(({ n }) => n)];
    expect(configs.includes(ok!.config.v), 'config', ok!.config, configs);
    const enabled = [
      this.#lastDone('switch')?.control ??
        (this.before?.services.switched?.health.enabled === false ? 'disable' : 'enable'),
      ...this.#open('switch').map(({ control }) => control),
    ];
    expect(enabled.includes(switched!.health.enabled ? 'enable' : 'disable'), 'enabled', switched, enabled);
    const results = [
      this.#lastDone('ok')?.n ?? this.before?.services.ok?.result.n,
      ...this.#open('ok').map(({ n }) => n),
    ];
    expect(results.includes(ok!.result.n), 'last result', ok!.result, results);
    const acknowledged = this.#lastDone('ok');
    expect(
      acknowledged === undefined || ['ok', 'error'].includes(ok!.status.state),
      'last outcome of ok',
      ok!.status,
    );
    expect(this.#lastDone('bad') === undefined || bad!.error.startsWith('EIO: '), 'last error of bad', bad);
    const submitted = this.#lastDone('long');
    if (submitted !== undefined) {
      expect(
        long!.status.invocation_id === submitted.id &&
          long!.status.state === 'error' &&
          long!.status.error === 'interrupted',
        'what was running is marked as interrupted',
        long,
      );
    }
    for (const { key, n, reply } of found.again) {
      expect(reply === `{\n  "n": ${n}\n}\n`, 'the stored reply of a key', key, reply);
    }
    expect(found.ranAgain === 0, 'a key runs nothing again', found.ranAgain);
    this.kept.push(...this.done.filter(({ what }) => what === 'ok').slice(-2));
    this.before = found;
    this.begun = [];
    this.done = [];
    return faults;
  }

  #counts(id: string, metrics: Files['metrics'], expect: (holds: boolean, ...rest: [string]) => void): void {
    const base = this.before?.services[id]?.metrics.invokes_total ?? 0;
    const done = this.done.filter(({ what }) => what === id).length;
    const begun = id === 'long' ? done + 1 : this.begun.filter(({ what }) => what === id).length;
    const count = metrics.invokes_total - base;
    expect(
      count >= done && count <= begun,
      `${id}: invokes_total grew by ${count}, of ${done} to ${begun} calls`,
    );
  }

  #lastDone(what: string): Line | undefined {
    return this.done.findLast((line) => line.what === what);
  }

  /** Those begun and not acknowledged. */
  #open(what: string): Line[] {
    const done = new Set(this.done.map(({ what, n, control }) => `${what} ${n} ${control}`));
    const begun = this.begun.filter((line) => line.what === what);
    return what === 'switch'
      ? begun.slice(this.done.filter((line) => line.what === what).length)
      : begun.filter(({ what, n, control }) => !done.has(`${what} ${n} ${control}`));
  }
}

/** A node that is killed again and again. */
class Victim {
  readonly dir: string;
  readonly #promised = new Promised();
  readonly #manifests: readonly JsonObject[];
  readonly #runs: string;

  constructor(t: Test) {
    const dir = join(temporaryDir(t), 'state');
    const runtime = { env: { KILL_TEST: dir } };
    this.dir = dir;
    this.#runs = join(dir, 'runs');
    this.#manifests = [
      shellManifest('ok', `echo "$ACHERON_CALL_INVOCATION_ID" >> ${this.#runs}; cat`, { runtime }),
      shellManifest('bad', 'cat >/dev/null; echo broken >&2; exit 3', { runtime }),
      shellManifest('switched', 'cat', { runtime }),
      shellManifest('long', 'cat >/dev/null; sleep 600 & wait', {
        runtime: { ...runtime, timeout_ms: 600_000 },
      }),
    ];
  }

  get request(): NodeRequest {
    const { kept } = this.#promised;
    return { dir: this.dir, manifests: this.#manifests, again: [...kept.slice(-2), ...kept.slice(0, 1)] };
  }

  /** All that is wrong with what its start found. */
  faults(found: Found): string[] {
    const faults = this.#promised.faults(found);
    const left = processesOf(this.dir);
    if (left.length > 0) faults.push(`left behind: ${left.join(' ')}`);
    return faults;
  }

  killed(lines: readonly Line[]): void {
    this.#promised.add(lines);
    const file = join(this.dir, 'node.json.runtime-services.json');
    if (existsSync(file)) JSON.parse(readFileSync(file, 'utf8'));
  }

  /** Whether a call has run at all: on a slow machine many kills may come before the first. */
  get hasRun(): boolean {
    return existsSync(this.#runs);
  }

  end(t: Test): void {
    const ids = readFileSync(this.#runs, 'utf8').trim().split('\n');
    t.equal(new Set(ids).size, ids.length, `${ids.length} calls, none of them run twice`);
    for (const pid of processesOf(this.dir)) process.kill(pid, 'SIGKILL');
  }
}

t.setTimeout(TIMEOUT_MS);

t.test(
  'after kill -9 at any instant a start finds all that was acknowledged, no torn file, and what was running interrupted [P]',
  { timeout: TIMEOUT_MS },
  async (t) => {
    const count = { begun: 0, killed: 0 };
    await Promise.all(Array.from({ length: LANES }, () => lane(t, count)));
    t.ok(count.killed >= KILLS, `${count.killed} nodes were killed, ${NODES_PER_LANE} at a time`);
  },
);

/** Of nodes: those whose round was begun, and those that died of kill -9. */
interface Count {
  begun: number;
  killed: number;
}

async function lane(t: Test, count: Count): Promise<void> {
  const again = (): boolean => (count.begun += NODES_PER_LANE) <= KILLS;
  const victims = Array.from({ length: NODES_PER_LANE }, () => new Victim(t));
  const round = async (number: number, startMs: number | null, loadMs?: number): Promise<void> => {
    const request = { round: number, nodes: victims.map((victim) => victim.request) };
    const check = (found: readonly Found[]): void => {
      const faults = victims.flatMap((victim, at) => victim.faults(found[at]!));
      if (faults.length > 0) t.fail(`round ${number}`, { faults });
    };
    const { lines, stderr, wasKilled } = await runAndKill(t, request, startMs, check, loadMs);
    if (stderr !== '') t.fail(`round ${number} said`, { stderr });
    if (wasKilled) count.killed += NODES_PER_LANE;
    victims.forEach((victim, at) => victim.killed(lines.filter((line) => line.at === at)));
  };
  // Each fifth dies while it starts, as a rule.
  for (let number = 1; again() || victims.some(({ hasRun }) => !hasRun); number++)
    await round(number, number % 5 === 0 ? 100 + random() * 400 : null);
  await round(0, null, 0);
  for (const victim of victims) victim.end(t);
}

async function runAndKill(
  t: Test,
  request: KillRequest,
  startMs: number | null,
  onFound: (found: readonly Found[]) => void,
  loadMs = random() * LOAD_MS,
): Promise<{ lines: Line[]; stderr: string; wasKilled: boolean }> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(request)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  const working = new Promise<void>((resolve) => {
    let seen = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      const end = stdout.indexOf('\n');
      if (end === -1) return;
      if (seen) return resolve();
      seen = true;
      onFound((JSON.parse(stdout.slice(0, end)) as { nodes: Found[] }).nodes);
      child.stdin.write('go\n');
    });
  });
  if (startMs === null) {
    await Promise.race([working, closed]);
    await delay(loadMs);
  } else {
    await delay(startMs);
  }
  child.kill('SIGKILL');
  await closed;
  const lines = stdout
    .slice(0, stdout.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .slice(1);
  return {
    lines: lines.map((line) => JSON.parse(line) as Line),
    stderr,
    wasKilled: child.signalCode === 'SIGKILL',
  };
}

/** The drivers of this state directory that live: its path is in their environment. */
function processesOf(dir: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`KILL_TEST=${dir}`);
      } catch {
        return false; // gone meanwhile
      }
    })
    .map(Number);
}
