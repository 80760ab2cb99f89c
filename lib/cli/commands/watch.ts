import { Command } from 'commander';
import { FsError, timestamp } from '../../core/index.js';
import type { CatalogEvent } from '../../control/index.js';
import { addControlOptions, withControl, type ControlAccess, type ControlFlags } from '../control-access.js';
import { colouredDiff } from '../coloured-diff.js';
import { diffsOf, type EventDiff } from '../event-diffs.js';
import { idArgument, integer, jsonOption } from '../options.js';
import { plain, plainFacts, printJsonLine, printLine, printNote } from '../print.js';
import { stopAsked } from '../stop-asked.js';
import { wrapped } from '../wrapped.js';
import { writeStyled } from '../write-out.js';

interface Flags extends ControlFlags {
  readonly json?: boolean;
  readonly diff?: boolean;
  readonly node?: string;
  readonly since?: number;
}

export function watchCommand(): Command {
  const command = new Command('watch')
    .description(
      'Print what happens: nodes that come and go, services added, updated, removed, how they fare, and how\ninvocations end. Each event once and in order, also when the connection is lost in between; until Ctrl-C.',
    )
    .option('--node <id>', 'of one node alone', idArgument)
    .option('--since <revision>', 'begin after this revision; default: now', integer(0))
    .option('--diff', 'after each change of a descriptor, how it changed')
    .addOption(jsonOption());
  return addControlOptions(command)
    .addHelpText(
      'after',
      `
With --json, one event a line. Where events are no longer kept, it says "compacted": look at everything
anew then, the watch goes on from now. With --diff, "diffs" has those of the descriptors that changed.

Examples:
  $ acheron watch
  $ acheron watch --diff
  $ acheron watch --node lab --since 0 --json | jq -c '[.revision, .kind]'`,
    )
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, (access) => watch(access, flags), { lasting: true }),
    );
}

/** Prints events until the process is asked to stop. @throws FsError when the watch is refused for good */
async function watch({ client }: ControlAccess, flags: Flags): Promise<void> {
  const json = flags.json === true;
  const stop = stopAsked();
  let printed = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    const print = (document: object, line: () => string, diffs?: () => Promise<EventDiff[]>): void => {
      printed = printed.then(async () => {
        const found = await diffs?.();
        if (json) await printJsonLine(found === undefined ? document : { ...document, diffs: found });
        else await printLine(wrapped(plain(line()), 2));
        for (const { diff } of json ? [] : (found ?? [])) await writeStyled(`${colouredDiff(diff)}\n`);
      });
      printed.catch(reject);
    };
    let wasLost = false;
    client.states.on((state) => {
      if (state.state === 'closed') reject(state.error ?? new FsError('ECANCELED', 'The watch was closed.'));
      if (state.state !== 'backing-off' || wasLost) return;
      wasLost = true;
      printNote('The connection was lost. It is tried again.');
    });
    client.sessionChanged.on(({ revoked }) => {
      if (revoked) reject(new FsError('EACCES', 'The session or its token was revoked.'));
    });
    client.watch({
      ...(flags.node === undefined ? {} : { nodeId: flags.node }),
      ...(flags.since === undefined ? {} : { sinceRevision: flags.since }),
      onBegin: () => {
        printNote(wasLost ? 'Connected again; the watch goes on.' : 'Watching. Ctrl-C ends it.');
        wasLost = false;
      },
      onEvent: ({ watch_id: _watch, ...event }) =>
        print(event, () => lineOf(event), flags.diff === true ? () => diffsOf(client, event) : undefined),
      onReset: (why) => print({ kind: 'compacted', message: why }, () => `compacted: ${why}`),
      onRefused: reject,
    });
    void stop.then(() => resolve());
  });
  await printed;
}

type ShownEvent = Omit<CatalogEvent, 'watch_id'>;

function lineOf({ revision, timestamp_ms, kind, node_id, service_delta, details }: ShownEvent): string {
  const words = [String(revision), timestamp(timestamp_ms), kind, node_id ?? ''];
  if (service_delta !== undefined) {
    const { added, updated, removed } = service_delta;
    words.push(
      ...added.map(({ service_id }) => `+${service_id}`),
      ...updated.map(
        ({ service_id, previous_version, version }) =>
          `~${service_id}${previous_version === version ? '' : `(${previous_version ?? '-'} -> ${version ?? '-'})`}`,
      ),
      ...removed.map(({ service_id }) => `-${service_id}`),
    );
  } else words.push(plainFacts(shortOf(details)));
  return words.filter((word) => word !== '').join(' ');
}

/** What fits on a line; `--json` has it all. */
function shortOf(details: unknown): unknown {
  if (details === null || typeof details !== 'object') return details;
  return Object.fromEntries(Object.entries(details).filter(([, value]) => typeof value !== 'object'));
}
