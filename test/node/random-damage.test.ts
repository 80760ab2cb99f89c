/**
 * Each file of a node's state is damaged at random, one at a time: a bit flips, it is cut, emptied, overwritten or
 * removed. The next start serves what is whole, or says which file is damaged; and no key runs twice.
 * ACHERON_DAMAGE_CASES makes it longer, ACHERON_TEST_SEED another.
 */
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FsError, Log } from '../../lib/core/index.js';
import { DEFAULT_JOB_LIMITS } from '../../lib/services/index.js';
import { SEED, extent } from '../support/extent.js';
import { Random } from '../support/random.js';
import { READ_WRITE, TestNode, USER, shellManifest, temporaryDir } from '../support/test-node.js';

const CASES = extent('ACHERON_DAMAGE_CASES', { short: 60, long: 2000 });
const KEYS = 24;
const JOB_LIMITS = { ...DEFAULT_JOB_LIMITS, keep: 4, segmentBytes: 8_000, segmentKeys: 5 };

const DAMAGES = ['flip', 'cut', 'empty', 'overwrite', 'remove'] as const;

t.test(
  'a file of state that is damaged is reported or does no harm, and no key runs twice [P]',
  { timeout: 3_600_000 },
  async (t) => {
    t.comment(`${CASES} cases`);
    const random = new Random(SEED);
    const runs = join(temporaryDir(t), 'runs');
    const said: string[] = [];
    const log = logTo(said);
    const script = `i=$(cat); echo "$i" >> ${runs}; case $i in *bad*) exit 3;; *) echo "$i";; esac`;
    const node = await TestNode.start(t, [shellManifest('s', script)], { jobLimits: JOB_LIMITS, log });
    const path = node.path('s', 'control/invoke.json');
    const request = (n: number): string => `{"_key":"k${n}","n":${n}${n % 5 === 0 ? ',"bad":1' : ''}}`;
    const outcomeOf = async (n: number): Promise<string> => {
      try {
        const op = node.op(n % 3 === 0 ? USER : undefined);
        const handle = await node.open(path, READ_WRITE, op.session);
        try {
          const bytes = Buffer.from(request(n));
          await handle.write(0, bytes, op);
          return Buffer.from(await handle.read(bytes.length, 65536, op)).toString();
        } finally {
          await handle.release();
        }
      } catch (thrown) {
        const { code, message } = thrown as FsError;
        return `${code}: ${message}`;
      }
    };
    const reported: string[] = [];
    for (let n = 0; n < KEYS; n++) {
      reported[n] = await outcomeOf(n);
      if (n % 4 === 0) await node.write(path, JSON.stringify({ n, pad: 'x'.repeat(2000) }));
      if (n === 10) await node.restart();
    }
    await node.write(node.path('s', 'config.json'), '{"level":1111}');
    await node.node.close();
    const ran = readFileSync(runs, 'utf8');
    const state = join(node.dir, 'state');
    const whole = join(node.dir, 'whole');
    cpSync(state, whole, { recursive: true });
    const files = readdirSync(whole, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(whole, name)).isFile(),
    );
    const counts = { refused: 0, reported: 0, harmless: 0 };
    for (let at = 0; at < CASES; at++) {
      rmSync(state, { recursive: true });
      cpSync(whole, state, { recursive: true });
      const file = files[at % files.length]!;
      const how = random.of(DAMAGES);
      damage(join(state, file), how, random);
      said.length = 0;
      const name = `case ${at}: ${how} ${file}`;
      try {
        await node.restart();
      } catch (thrown) {
        const { message, hint } = thrown as FsError;
        if (!message.includes('/state/node.json') || hint === undefined)
          t.fail(`${name} was refused with`, { message, hint });
        counts.refused++;
        continue;
      }
      const again: string[] = [];
      for (let n = 0; n < KEYS; n++) again.push(await outcomeOf(n));
      const changed = again.filter((outcome, n) => outcome !== reported[n]);
      const config = await node.read(node.path('s', 'config.json'));
      await node.node.close();
      if (readFileSync(runs, 'utf8') !== ran) {
        t.fail(`${name}: a key ran again`, { said });
        writeFileSync(runs, ran);
      }
      const silent = said.length === 0;
      if (changed.some((outcome) => !outcome.startsWith('EIO: ')))
        t.fail(`${name}: another outcome`, { changed, said });
      if (silent && (changed.length > 0 || !config.includes('1111')))
        t.fail(`${name}: in silence`, { changed, config });
      counts[silent ? 'harmless' : 'reported']++;
    }
    t.comment(JSON.stringify(counts));
    t.ok(counts.refused > 0 && counts.reported > 0, 'damage is found');
  },
);

function damage(path: string, how: (typeof DAMAGES)[number], random: Random): void {
  const bytes = readFileSync(path);
  const at = random.below(Math.max(1, bytes.length));
  if (how === 'remove') rmSync(path);
  else if (how === 'empty') truncateSync(path, 0);
  else if (how === 'cut') truncateSync(path, at);
  else if (bytes.length > 0) {
    if (how === 'flip') bytes[at]! ^= 1 << random.below(8);
    else
      for (let index = at; index < Math.min(bytes.length, at + 300); index++)
        bytes[index] = random.below(256);
    writeFileSync(path, bytes);
  }
}

/** Keeps what names a file of state. */
function logTo(lines: string[]): Log {
  const say = (message: string, facts: unknown = {}): void => {
    const line = `${message} ${JSON.stringify(facts)}`;
    if (line.includes('/state/node.json')) lines.push(line);
  };
  return { debug: () => undefined, info: () => undefined, warn: say, error: say };
}
