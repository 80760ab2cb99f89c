import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { Client, typesFromServices, type DescribedService } from '../../client/index.js';
import { FsError, ownValue, reasonOf } from '../../core/index.js';
import { idArgument } from '../options.js';
import { printNote } from '../print.js';
import { addAccessOptions, openTree, type AccessFlags } from '../tree-access.js';
import { writeOut } from '../write-out.js';

type TypesFlags = AccessFlags & { readonly node?: string; readonly out?: string };

export function typesCommand(): Command {
  const command = new Command('types')
    .description(
      "Write TypeScript types of what services take and give, from their schemas. With that file in a program,\nthe compiler checks client.invoke('echo', …) of the library.",
    )
    .option('--node <id>', 'the services of one node alone', idArgument)
    .option('--out <file>', 'where to write them (default: standard output)', (file: string) =>
      resolve(file),
    );
  return addAccessOptions(command)
    .addHelpText('after', '\nExample:\n  $ acheron types --out src/acheron-services.ts')
    .action((flags: TypesFlags) => types(flags));
}

async function types(flags: TypesFlags): Promise<void> {
  const client = new Client(await openTree(flags));
  try {
    const text = typesFromServices(await described(client, flags.node));
    if (flags.out === undefined) await writeOut(text);
    else writeTo(flags.out, text);
  } finally {
    await client.close();
  }
}

/** What can be invoked. @throws FsError ENOENT where the node is none that is seen */
async function described(
  client: Client,
  node: string | undefined,
): Promise<(DescribedService & { readonly summary: string | undefined })[]> {
  const services = (await client.services()).filter(
    (entry) => ownValue(entry, 'has_invoke') === true && (node === undefined || entry['node_id'] === node),
  );
  if (node !== undefined && services.length === 0) await client.list(`/nodes/${node}`);
  const found = services.map(async (entry) => {
    const summary = ownValue(entry, 'summary');
    const service = await client.describe(entry['service_path'] as string);
    return { ...service, summary: typeof summary === 'string' ? summary : undefined };
  });
  return Promise.all(found);
}

function writeTo(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (thrown) {
    throw new FsError(
      FsError.from(thrown).code,
      `The types cannot be written to ${path}: ${reasonOf(thrown)}.`,
      {
        hint: 'Name a file in a directory that is there and that you may write.',
        path,
        cause: thrown,
      },
    );
  }
  printNote(`The types are in ${path}.`);
}
