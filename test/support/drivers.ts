import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  newInvocationId,
  silentLog,
  systemClock,
  type JsonObject,
  type ServiceId,
} from '../../lib/core/index.js';
import { FileLedger, type DriverContext, type Invocation, type Outcome } from '../../lib/drivers/index.js';
import { allProcesses, variableOfProcess } from '../../lib/drivers/native-proc/proc-table.js';
import { DEFAULT_LIMITS, type ProcessRuntime, type RuntimeLimits } from '../../lib/manifest/index.js';

/** A file of test/fixtures/drivers, which are not compiled. */
export function fixture(name: string): string {
  return join(import.meta.dirname, '../../../test/fixtures/drivers', name);
}

export const serviceId = 'probe' as ServiceId;

export interface TestContext extends DriverContext {
  readonly folder: string;
  readonly ledgerFile: string;
  /** The living processes that were started in this context. */
  processes(): number[];
  remove(): void;
}

/** A context with a ledger of its own, so that what it started is known from all else. */
export function testContext(): TestContext {
  const folder = mkdtempSync(join(tmpdir(), 'acheron-drivers-'));
  const ledgerFile = join(folder, 'processes');
  const ledger = new FileLedger(ledgerFile);
  // The drivers' timers do not keep a process alive (a node has its listeners for that); a test has nothing else.
  const alive = setInterval(() => undefined, 60_000);
  const run = ledger.newTag().split('-')[0]!;
  return {
    nodeId: 'n1',
    ledger,
    driverUser: null,
    log: silentLog,
    clock: systemClock,
    folder,
    ledgerFile,
    processes: () => processesTagged(run),
    remove: () => {
      clearInterval(alive);
      ledger.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export function processesTagged(run: string): number[] {
  return allProcesses()
    .filter((one) => !one.isZombie)
    .map((one) => one.pid)
    .filter((pid) => variableOfProcess(pid, 'ACHERON_PROCESS_TAG')?.startsWith(run) === true);
}

export function isAlive(pid: number): boolean {
  return allProcesses().some((one) => one.pid === pid && !one.isZombie);
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export function limits(changes: Partial<RuntimeLimits> = {}): RuntimeLimits {
  return { ...DEFAULT_LIMITS, killGraceMs: 200, ...changes };
}

export function processRuntime(changes: Partial<ProcessRuntime> = {}): ProcessRuntime {
  return {
    type: 'native_proc',
    mode: 'oneshot',
    executablePath: fixture('many.py'),
    args: [],
    allowDash: false,
    env: {},
    cwd: tmpdir(),
    output: 'json',
    warmCount: 2,
    limits: limits(),
    probe: null,
    ...changes,
  };
}

export type TestCall = Invocation & {
  readonly heard: { stdout: string; stderr: string };
  readonly cancel: (reason?: unknown) => void;
  /** Resolves at the first output on either stream. */
  readonly firstOutput: Promise<void>;
};

/** An invocation with `input` as its payload (or the exact `payload`). */
export function callOf(
  input: JsonObject | Uint8Array,
  changes: Partial<Pick<Invocation, 'caller' | 'deadlineMs' | 'config'>> = {},
): TestCall {
  const controller = new AbortController();
  const heard = { stdout: '', stderr: '' };
  const payload = input instanceof Uint8Array ? input : Buffer.from(JSON.stringify(input));
  let hear: () => void = () => undefined;
  const firstOutput = new Promise<void>((resolve) => (hear = resolve));
  return {
    id: newInvocationId(Date.now()),
    nodeId: 'n1',
    serviceId,
    payload,
    caller: { role: 'user', agentId: 'agent-7', projectId: 'project-7' },
    deadlineMs: Date.now() + 60_000,
    config: {},
    signal: controller.signal,
    onOutput: (stream, chunk) => {
      heard[stream] += Buffer.from(chunk).toString('utf8');
      hear();
    },
    heard,
    cancel: (reason) => controller.abort(reason),
    firstOutput,
    ...changes,
  };
}

/** The result of a call that must have succeeded. */
export function resultOf(outcome: Outcome): JsonObject {
  if (!outcome.ok) throw outcome.error;
  return JSON.parse(Buffer.from(outcome.result).toString('utf8')) as JsonObject;
}
