import { Command, InvalidArgumentError } from 'commander';
import { changedPointers, FsError } from '../../core/index.js';
import { descriptorDiff } from '../../manifest/index.js';
import { colouredDiff } from '../coloured-diff.js';
import { jsonOption } from '../options.js';
import { printJson, printNote } from '../print.js';
import { readText } from '../../worldfs/index.js';
import { descriptorAt, versionsOf, type HistoryLine, type ServiceVersions } from '../service-versions.js';
import { addAccessOptions, openTree, type AccessFlags, type Tree } from '../tree-access.js';
import { writeOut, writeStyled } from '../write-out.js';

type Flags = AccessFlags & { readonly json?: boolean };

interface Difference {
  readonly from: number | null;
  readonly to: number;
  readonly fields: readonly string[];
  readonly diff: string;
}

export function diffCommand(): Command {
  const command = new Command('diff')
    .description(
      "Print how a service's descriptor changed, as diff -u does: by its last change, since a version, or between two.",
    )
    .argument('<service>', 'a service: NODE/SERVICE, its name, or a path')
    .argument(
      '[from]',
      'the number of a change, as acheron history lists them; default: the one before the last',
      number,
    )
    .argument('[to]', 'the number of another; default: the newest', number)
    .addOption(jsonOption());
  return addAccessOptions(command)
    .addHelpText(
      'after',
      `
Nothing is printed where the two are the same. Exit status: 0, also where they differ; 1 when it fails; 2 for wrong usage.

Examples:
  $ acheron diff local/echo
  $ acheron diff local/echo 12
  $ acheron diff local/echo 12 40 --json | jq -r '.fields[]'`,
    )
    .action((service: string, from: number | undefined, to: number | undefined, flags: Flags) =>
      diff(service, { from, to }, flags),
    );
}

function number(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new InvalidArgumentError('It must be a number, as acheron history lists them.');
  return Number(text);
}

interface Range {
  readonly from: number | undefined;
  readonly to: number | undefined;
}

async function diff(service: string, range: Range, flags: Flags): Promise<void> {
  const tree = await openTree(flags);
  let found: Difference | null;
  try {
    const versions = await versionsOf(tree, service);
    found =
      range.from === undefined
        ? await lastChange(tree, versions)
        : await between(tree, service, versions, range);
  } finally {
    await tree.close();
  }
  if (flags.json === true) await printJson(found);
  else if (found === null) printNote(`Nothing is recorded of ${service}.`);
  else if (found.diff !== '')
    await (process.stdout.isTTY ? writeStyled(`${colouredDiff(found.diff)}\n`) : writeOut(found.diff));
}

const BRING_VERSIONS: ReadonlySet<unknown> = new Set(['added', 'updated', 'removed']);

/** What the tree says of the last change that brought another version. */
async function lastChange(tree: Tree, { path, lines }: ServiceVersions): Promise<Difference | null> {
  const at = lines.findLastIndex(({ document }) => BRING_VERSIONS.has(document['change']));
  const line = lines[at];
  if (line === undefined) return null;
  const before = lines.slice(0, at).findLast(({ document }) => BRING_VERSIONS.has(document['change']));
  const { fields } = line.document;
  return {
    from: line.document['previous_hash'] === null ? null : (before?.n ?? null),
    to: line.n,
    fields: Array.isArray(fields) ? (fields as string[]) : [],
    diff: await readText(tree, `${path}/history/${line.n}.diff`),
  };
}

async function between(
  tree: Tree,
  service: string,
  versions: ServiceVersions,
  range: Range,
): Promise<Difference> {
  const find = (n: number): HistoryLine => {
    const line = versions.lines.find((one) => one.n === n);
    if (line === undefined)
      throw new FsError('ENOENT', `There is no change ${n} of ${service}.`, {
        hint: `acheron history ${service} lists those that are kept.`,
      });
    return line;
  };
  const newest = versions.lines.at(-1)?.n ?? 0;
  const [from, to] = [find(range.from ?? newest), find(range.to ?? newest)];
  const [before, after] = [await descriptorAt(tree, versions, from), await descriptorAt(tree, versions, to)];
  const id = versions.path.split('/').at(-1) ?? service;
  const nameOf = ({ n }: HistoryLine): string => `${id}/${n}.json`;
  return {
    from: from.n,
    to: to.n,
    fields: changedPointers(before, after),
    diff: descriptorDiff({ name: nameOf(from), descriptor: before }, { name: nameOf(to), descriptor: after }),
  };
}
