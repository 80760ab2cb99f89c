import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileLedger, endLeftovers } from '../../lib/drivers/index.js';
import { bootId } from '../../lib/drivers/native-proc/process-ledger.js';
import { processFacts } from '../../lib/drivers/native-proc/proc-table.js';
import { isAlive, processesTagged } from '../support/drivers.js';

const folder = mkdtempSync(join(tmpdir(), 'acheron-drivers-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** A process in a group of its own, ended with the test whatever happens. */
async function sleeper(t: Test, env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn('sleep', ['600'], {
    detached: true,
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], ...env },
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  return child.pid!;
}

t.test('what a killed node left behind is ended by its next start', async (t) => {
  const file = join(folder, 'killed');
  const node = spawn(process.execPath, [join(import.meta.dirname, '../support/node-with-calls.js'), file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  });
  await once(node.stdout, 'data');
  const exited = once(node, 'exit');
  node.kill('SIGKILL');
  await exited;
  const run = readFileSync(file, 'latin1').split('\n')[0]!.trim().split(' ')[3]!;
  t.ok(processesTagged(run).length >= 4, 'drivers and their children run on');
  t.ok((await endLeftovers(file, 100)).length >= 2);
  t.same(processesTagged(run), []);
  t.same(await endLeftovers(file), [], 'a second time there is nothing to end');
});

t.test('a process that merely has a recorded pid is left alone', async (t) => {
  const file = join(folder, 'reused');
  const pid = await sleeper(t);
  new FileLedger(file).close();
  const [header] = readFileSync(file, 'latin1').split('\n');
  writeFileSync(file, `${header}\n${pid} 12345 x-1\n`);
  t.same(await endLeftovers(file), []);
  t.ok(isAlive(pid));
});

t.test('a ledger of an earlier boot, a broken one and none at all end nothing', async (t) => {
  const pid = await sleeper(t);
  const line = `${pid} ${processFacts(pid)!.startTime} x-1\n`;
  const file = join(folder, 'other');
  for (const text of [`acheron-processes 1 another-boot x\n${line}`, `rubbish\n${line}`, '']) {
    writeFileSync(file, text);
    t.same(await endLeftovers(file), []);
  }
  t.same(await endLeftovers(join(folder, 'none')), []);
  t.ok(isAlive(pid));
});

t.test('a ledger of a later format is refused untouched', async (t) => {
  const file = join(folder, 'later');
  writeFileSync(file, `acheron-processes 2 ${bootId()} x\n`);
  await t.rejects(endLeftovers(file), { code: 'EIO', message: /format 2/ });
});

t.test('a recorded process is ended although it says nothing of itself', async (t) => {
  const file = join(folder, 'recorded');
  const ledger = new FileLedger(file);
  const pid = await sleeper(t);
  ledger.record(pid, ledger.newTag());
  ledger.close();
  t.same(await endLeftovers(file), [pid]);
  t.notOk(isAlive(pid));
});

t.test('a process that was started but not yet recorded is ended', async (t) => {
  const file = join(folder, 'unrecorded');
  const ledger = new FileLedger(file);
  const pid = await sleeper(t, { ACHERON_PROCESS_TAG: ledger.newTag() });
  ledger.close();
  t.same(await endLeftovers(file), [pid]);
});

t.test('places in the ledger are used again', async (t) => {
  const file = join(folder, 'slots');
  const ledger = new FileLedger(file);
  for (let i = 0; i < 50; i++) ledger.record(process.pid, ledger.newTag())();
  ledger.close();
  t.equal(readFileSync(file, 'latin1').trim().split('\n').length, 2);
});
