import { Command } from 'commander';
import { FsError, timestamp } from '../../core/index.js';
import type { ControlClient } from '../../control/index.js';
import type { ControlReply } from '../../protocol/index.js';
import { addControlOptions, withControl, type ControlFlags } from '../control-access.js';
import { jsonOption } from '../options.js';
import { plainFacts, printJson, printLine, printTable } from '../print.js';

type Flags = ControlFlags & { readonly json?: boolean };
type DenyFlags = Flags & { readonly all?: boolean; readonly address?: string };
type ApproveFlags = Flags & { readonly code?: string };
type Waiting = ControlReply<'node_join_pending_list'>['pending'][number];

export function pairCommand(): Command {
  const command = new Command('pair').description('Decide on machines that ask to become nodes.').addHelpText(
    'after',
    `
The machine shows a verification code. Approve that code: then it is that machine, and no other.

Examples:
  $ acheron pair list
  $ acheron pair approve KQRT-MWXZ
  $ acheron pair deny r-5b2e9f00a1c3d4e5`,
  );
  addControlOptions(
    command.command('list').description('List the machines that wait.').addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron pair list')
    .action((flags: Flags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const { pending } = await client.requestAll('node_join_pending_list', {});
        if (flags.json === true) return printJson(pending);
        await printTable(
          ['CODE', 'REQUEST', 'NODE', 'ADDRESS', 'LAPSES', 'PLATFORM', 'LABELS'],
          pending.map((one) => [
            one.verification_code,
            one.request_id,
            one.node_name,
            one.address,
            timestamp(one.expires_at_ms),
            plainFacts(one.platform),
            plainFacts(one.labels),
          ]),
        );
      }),
    );
  addControlOptions(
    command
      .command('approve')
      .description('Let the machine that shows this verification code become a node.')
      .argument('<code>', 'the code that the machine shows; or a request id, with --code')
      .option('--code <code>', 'the code that the machine shows, to compare')
      .addOption(jsonOption()),
  )
    .addHelpText('after', '\nExample:\n  $ acheron pair approve KQRT-MWXZ')
    .action((which: string, flags: ApproveFlags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        const request = await findRequest(client, which);
        checkCode(request, which, flags.code);
        const reply = await client.request('node_join_approve', { request_id: request.request_id });
        await (flags.json === true
          ? printJson(reply)
          : printLine(`${request.node_name} at ${request.address} may become a node.`));
      }),
    );
  addControlOptions(
    command
      .command('deny')
      .description('Forget a request.')
      .argument('[request]', 'its id, or its verification code')
      .option('--all', 'all that wait')
      .option('--address <address>', 'all of this address')
      .addOption(jsonOption()),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ acheron pair deny r-5b2e9f00a1c3d4e5
  $ acheron pair deny --address 192.0.2.7
  $ acheron pair deny --all`,
    )
    .action((which: string | undefined, flags: DenyFlags, self: Command) =>
      withControl(self, flags, async ({ client }) => {
        if (which === undefined) return denyMany(client, flags);
        const { request_id, node_name, address } = await findRequest(client, which);
        const reply = await client.request('node_join_deny', { request_id });
        await (flags.json === true
          ? printJson(reply)
          : printLine(`The request of ${node_name} at ${address} is denied.`));
      }),
    );
  return command;
}

async function denyMany(client: ControlClient, flags: DenyFlags): Promise<void> {
  const { all, address } = flags;
  if (all !== true && address === undefined)
    throw new FsError('EINVAL', 'It is not said which request to deny.', {
      hint: 'Name one, or give --all or --address: see `acheron pair list`.',
    });
  const which = address === undefined ? { all: true } : { address };
  const reply = await client.request('node_join_deny', which);
  const { denied = 0 } = reply;
  await (flags.json === true
    ? printJson(reply)
    : printLine(denied === 1 ? 'One request is denied.' : `${denied} requests are denied.`));
}

const sameCode = (one: string, other: string): boolean =>
  one.replaceAll('-', '').toUpperCase() === other.replaceAll('-', '').toUpperCase();

/** @throws FsError ENOENT, or EEXIST where two machines show the same code */
async function findRequest(client: ControlClient, which: string): Promise<Waiting> {
  const { pending } = await client.requestAll('node_join_pending_list', {});
  const found = pending.filter(
    ({ request_id, verification_code }) => request_id === which || sameCode(verification_code, which),
  );
  const [request] = found;
  if (found.length > 1)
    throw new FsError('EEXIST', `${found.length} requests have the code ${which}.`, {
      hint: `Deny them, and let the machine ask again: ${found.map(({ request_id }) => request_id).join(' ')}`,
    });
  if (request === undefined)
    throw new FsError('ENOENT', `No request that waits has the code or id ${JSON.stringify(which)}.`, {
      hint: '`acheron pair list` shows those that wait. They lapse after an hour.',
    });
  return request;
}

/** An id says nothing of which machine asked: the code must be given with it. */
function checkCode(request: Waiting, which: string, code: string | undefined): void {
  if (code === undefined && request.request_id !== which) return;
  if (code === undefined)
    throw new FsError('EACCES', 'A request id alone does not say which machine asks.', {
      hint: `Approve the code that the machine shows: acheron pair approve CODE`,
    });
  if (!sameCode(request.verification_code, code))
    throw new FsError(
      'EACCES',
      `The code of this request is ${request.verification_code}, not ${JSON.stringify(code)}.`,
      {
        hint: 'Another machine asks under that name. Deny what you do not know: acheron pair deny REQUEST',
      },
    );
}
