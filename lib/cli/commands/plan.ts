import { basename, dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { isId } from '../../core/index.js';
import {
  checkManifests,
  planReload,
  type CheckedManifest,
  type PlannedFile,
  type PlannedOutcome,
  type ReloadPlan,
} from '../../registry/index.js';
import { colouredDiff } from '../coloured-diff.js';
import { faultText, shownFile } from '../fault-text.js';
import { collect, jsonOption } from '../options.js';
import { plain, printJson, printNote } from '../print.js';
import { runningServices, type ReloadedNode } from '../running-services.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';
import { writeError, writeStyled } from '../write-out.js';

type Flags = AccessFlags & {
  readonly servicesDir: readonly string[];
  readonly inPlaceOf?: string;
  readonly json?: boolean;
};

/** `diff` and `terraform plan` have the same: nothing, faults, changes. */
const EXIT = { nothing: 0, faults: 1, changes: 2 } as const;

export function planCommand(): Command {
  const command = new Command('plan')
    .description(
      'Say what a reload of manifests would do to the services that run, with the differences. Nothing is changed.',
    )
    .argument('[node]', 'the node; may be left out where there is one', nodeArgument)
    .requiredOption(
      '--services-dir <dir>',
      'the manifests, *.json (repeatable)',
      collect((dir) => resolve(dir)),
    )
    .option(
      '--in-place-of <dir>',
      "the node's own directory that the manifests are meant for; default: the same path",
    )
    .addOption(jsonOption());
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `
Exit status: 0 when nothing would change, 2 when something would, 1 when a manifest is faulty (its service, if it
has one that runs, would run on as it is).

What only a value of "env" changes is not seen: nodes show the names alone.

Examples:
  $ acheron plan --services-dir ~/services
  $ acheron plan --services-dir ./checkout --in-place-of /etc/acheron/services lab --control-url wss://plane.example:18790`,
    )
    .action((node: string | undefined, flags: Flags) => plan(node, flags));
}

function nodeArgument(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('It must be the name of a node.');
  return text;
}

async function plan(wanted: string | undefined, flags: Flags): Promise<void> {
  const tree = await openTree(flags);
  let node: ReloadedNode;
  try {
    node = await runningServices(tree, wanted);
  } finally {
    await tree.close();
  }
  const { files, folders } = await checkManifests(
    { manifestFiles: [], servicesDirs: flags.servicesDir },
    node.nodeId,
  );
  const places = flags.inPlaceOf === undefined ? flags.servicesDir : [flags.inPlaceOf];
  const planned = planReload(
    files,
    node.services,
    (file) => (flags.inPlaceOf === undefined ? file : join(flags.inPlaceOf, basename(file))),
    (source) => places.includes(dirname(source)),
  );
  noteStrangePlaces(places, node);
  for (const { message, hint } of folders) writeError(`${message} ${hint}\n`);
  if (flags.json === true) await printJson(documentFrom(node, planned));
  else await writeStyled(textFrom(planned, files));
  process.exitCode = exitStatus(planned, folders.length > 0);
}

/** A node whose services come from elsewhere loses none: it may not be what was meant. */
function noteStrangePlaces(places: readonly string[], node: ReloadedNode): void {
  const strange = places.filter((place) => !node.servicesDirs.includes(place));
  if (strange.length === 0) return;
  const has = node.servicesDirs.length === 0 ? 'none' : node.servicesDirs.join(', ');
  printNote(
    `${strange.join(', ')} is no services directory of ${node.nodeId} (it has: ${has}), so nothing would be removed. --in-place-of DIR says which one the manifests are meant for.`,
  );
}

const changes = ({ files }: ReloadPlan): PlannedFile[] =>
  files.filter(({ outcome }) => ['added', 'updated', 'removed'].includes(outcome));

function exitStatus(planned: ReloadPlan, isFolderMissing: boolean): number {
  if (isFolderMissing || planned.files.some(({ faults }) => faults.length > 0)) return EXIT.faults;
  return changes(planned).length > 0 ? EXIT.changes : EXIT.nothing;
}

function documentFrom(node: ReloadedNode, planned: ReloadPlan): object {
  return {
    node_id: node.nodeId,
    changes: changes(planned).length,
    faults: planned.files.reduce((sum, { faults }) => sum + faults.length, 0),
    files: planned.files.map((file) => ({
      file: file.file === null ? null : shownFile(file.file),
      outcome: file.outcome,
      service_id: file.serviceId,
      version: file.version,
      previous_version: file.previousVersion,
      fields: file.fields,
      diff: file.diff,
      faults: file.faults,
      warnings: file.warnings,
    })),
    kept: planned.kept,
  };
}

const SIGNS: Readonly<Record<PlannedOutcome, string>> = {
  added: pc.green('+'),
  updated: pc.yellow('~'),
  removed: pc.red('-'),
  unchanged: ' ',
  disabled: ' ',
  refused: pc.red('!'),
  'last-good': pc.red('!'),
};

function textFrom(planned: ReloadPlan, checked: readonly CheckedManifest[]): string {
  const readingOf = new Map(checked.map(({ file, reading }) => [file, reading]));
  const lines = planned.files.flatMap((file) => {
    if (file.outcome === 'unchanged') return file.warnings.map((fault) => faultText(fault, 'warning'));
    const reading = file.file === null ? undefined : readingOf.get(file.file);
    return [
      headingOf(file),
      ...file.faults.map((fault) => faultText(fault, 'error', reading?.excerpt(fault))),
      ...file.warnings.map((fault) => faultText(fault, 'warning')),
      ...(file.diff === '' ? [] : [colouredDiff(file.diff)]),
    ];
  });
  const amounts = OUTCOMES.map((outcome) => {
    const amount = planned.files.filter((file) => file.outcome === outcome).length;
    return amount === 0 ? [] : `${amount} ${outcome}`;
  }).flat();
  if (planned.kept.length > 0) amounts.push(`${planned.kept.length} from elsewhere kept`);
  return `${[...lines, amounts.length === 0 ? 'There are no manifests.' : `${amounts.join(', ')}.`].join('\n')}\n`;
}

const OUTCOMES = Object.keys(SIGNS) as PlannedOutcome[];

function headingOf(file: PlannedFile): string {
  const { outcome, serviceId, version, previousVersion, fields } = file;
  const versions = [previousVersion, version].filter((one) => one !== null);
  const words = [
    `${SIGNS[outcome]} ${pc.bold(plain(serviceId ?? shownFile(file.file ?? '')))}`,
    outcome === 'last-good' ? 'refused; what runs would run on' : outcome,
    ...(outcome === 'updated' && versions[0] !== versions[1] ? [versions.map(plain).join(' -> ')] : []),
    ...fields.map(plain),
  ];
  return words.join('  ');
}
