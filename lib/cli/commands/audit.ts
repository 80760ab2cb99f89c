import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { FsError, timestamp } from '../../core/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { addControlOptions, withControl, type ControlAccess, type ControlFlags } from '../control-access.js';
import { integer, jsonOption } from '../options.js';
import { plain, plainFacts, printJsonLine, printLine } from '../print.js';
import { stopAsked } from '../stop-asked.js';
import { wrapped } from '../wrapped.js';

interface Flags extends ControlFlags {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly limit: number;
  readonly after?: number;
}

type AuditRecord = ControlReply<'audit_tail'>['records'][number];

/** How often a log that is followed is asked for more, and how much of it at once. */
const POLL_MS = 500;
const PAGE = 1000;

export function auditCommand(): Command {
  const command = new Command('audit')
    .description('Print the audit log: each invocation, denial, control write and act of an admin.')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('-n, --limit <count>', 'how many of the newest', integer(1), 100)
    .option('--after <id>', 'all those after this audit_id, instead of the newest', integer(0))
    .addOption(jsonOption());
  return addControlOptions(command)
    .addHelpText(
      'after',
      `
With --json, one record a line.

Examples:
  $ acheron audit
  $ acheron audit --follow --json | jq 'select(.outcome == "denied")'`,
    )
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, (access) => audit(access, flags), { lasting: flags.follow === true }),
    );
}

async function audit({ client }: ControlAccess, flags: Flags): Promise<void> {
  const ask = async (limit: number, after: number | undefined): Promise<readonly AuditRecord[]> => {
    const { records } = await client.request('audit_tail', {
      limit,
      ...(after === undefined ? {} : { after_id: after }),
    });
    for (const record of records)
      await (flags.json === true ? printJsonLine(record) : printLine(wrapped(lineOf(record), 2)));
    return records;
  };
  let last = flags.after;
  if (last === undefined) last = (await ask(Math.min(flags.limit, 10_000), undefined)).at(-1)?.audit_id ?? 0;
  if (flags.after === undefined && flags.follow !== true) return;
  const stop = flags.follow === true ? new AbortController() : null;
  if (stop !== null) void stopAsked().then(() => stop.abort());
  while (stop?.signal.aborted !== true) {
    const more: readonly AuditRecord[] = await ask(PAGE, last).catch((thrown: unknown) => {
      if (stop === null || !isLost(thrown)) throw thrown;
      return [];
    });
    last = more.at(-1)?.audit_id ?? last;
    if (more.length === PAGE) continue;
    if (stop === null) return;
    await delay(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}

/** The connection comes back; what it was asked is asked again. */
function isLost(thrown: unknown): boolean {
  const { code } = FsError.from(thrown);
  return code === 'EHOSTDOWN' || code === 'ETIMEDOUT';
}

function lineOf(record: AuditRecord): string {
  const { audit_id, timestamp_ms, act, outcome, ...rest } = record;
  const { record_id: _id, origin, ...facts } = rest as Record<string, unknown>;
  const when = typeof timestamp_ms === 'number' ? timestamp(timestamp_ms) : '-';
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null));
  return plain(
    `${audit_id} ${when} ${textFrom(origin)} ${textFrom(act)} ${textFrom(outcome)} ${plainFacts(known)}`.trimEnd(),
  );
}

const textFrom = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null);
