import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { cleanEnvironment, mountChild } from '../support/mount-child.js';
import { until } from '../support/until.js';
import { waitsInFuse } from '../support/waits-in-fuse.js';

const fixture = {
  module: new URL('../support/bridge-tree.js', import.meta.url).href,
  name: 'createBridgeTree',
};
/** How long a caller that gives up may take to be gone. */
const GONE_MS = 150;
/** A busy machine is given so many tries to do it once. */
const TRIES = 8;

interface Case {
  readonly what: string;
  readonly program: readonly [string, ...string[]];
  /** Signals that it lives on with; each interrupts its request, and the kernel says so of the first alone. */
  readonly before?: readonly NodeJS.Signals[];
  readonly signal: NodeJS.Signals;
}

const writer = (trap: string): Case['program'] => ['bash', '--norc', '-c', `${trap}; echo > wait`];
const CASES: readonly Case[] = [
  ...(['SIGINT', 'SIGKILL'] as const).flatMap((signal): Case[] => [
    { what: 'a write', program: ['dash', '-c', 'echo > wait'], signal },
    { what: 'a read', program: ['cat', 'blocked'], signal },
    { what: 'an open', program: ['cat', 'gate'], signal },
  ]),
  {
    what: 'a write during which a child ended',
    program: writer('trap : CHLD; sleep 0.05 & true'),
    signal: 'SIGKILL',
  },
  {
    what: 'a write during which the window was resized',
    program: writer('trap : WINCH'),
    before: ['SIGWINCH', 'SIGWINCH'],
    signal: 'SIGKILL',
  },
  {
    what: 'a write whose caller handled a signal',
    program: writer('trap : USR1'),
    before: ['SIGUSR1'],
    signal: 'SIGTERM',
  },
];

t.test(`who gives up is gone within ${GONE_MS} ms`, async (t) => {
  const { dir } = await mountChild(t, { fixture, binding: 'kernel' });
  for (const { what, program, before = [], signal } of CASES) {
    const tookMs: number[] = [];
    do {
      const [command, ...args] = program;
      const caller = spawn(command, args, { cwd: dir, stdio: 'ignore', env: cleanEnvironment() });
      t.teardown(() => caller.kill('SIGKILL'));
      const ended = once(caller, 'exit');
      await until(() => waitsInFuse(caller.pid!), `${what} to wait`);
      for (const other of before) caller.kill(other);
      // Longer than it takes to look at a caller again, and for the child to end.
      if (program[0] === 'bash') await new Promise((resolve) => setTimeout(resolve, 80));
      if (caller.exitCode !== null) t.fail(`${what} was given up before`);
      const from = performance.now();
      caller.kill(signal);
      t.same(await ended, [null, signal], `${what}: ${signal}`);
      tookMs.push(performance.now() - from);
    } while (Math.min(...tookMs) > GONE_MS && tookMs.length < TRIES);
    t.ok(Math.min(...tookMs) <= GONE_MS, `${what}, ${signal}: ${tookMs.map(Math.round).join(' ')} ms`);
  }
});
