import { documentFromJson } from '../../core/index.js';
import { source, type Starter, type StarterFile } from './starter.js';

/** All files of a new driver: its own, `<name>.json` (the manifest) and `README.md`. */
export function filesOfStarter(name: string, starter: Starter): ReadonlyMap<string, StarterFile> {
  return new Map([
    [`${name}.json`, source(manifestFor(name, starter))],
    ...starter.files,
    ['README.md', source(readmeFor(name, starter))],
  ]);
}

function manifestFor(name: string, { runtime }: Starter): string {
  return documentFromJson({
    service_id: name,
    kind: 'utility',
    version: '1',
    runtime,
    permissions: { allow_roles: ['admin', 'user'] },
    schema: {
      input: {
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { name: { type: 'string', minLength: 1, maxLength: 200 } },
        required: ['name'],
        additionalProperties: false,
      },
    },
    invoke_template: { name: 'world' },
    help_md: `# ${name}\n\nGreets the name that it gets.\n`,
  }).toString();
}

function readmeFor(name: string, { title, build, tryIt, notes }: Starter): string {
  const building = build.length === 0 ? '' : `Build it, now and after each change:\n\n${indented(build)}\n\n`;
  const call = `echo '{"name": "world"}' > mnt/nodes/local/services/${name}/control/invoke.json`;
  return `# ${name}

A driver in ${title}. \`${name}.json\` makes it a service: who may call it, what a request may hold, how long it may take.

${building}Try it without a node:

${indented([tryIt])}

Check the manifest, mount the service, call it:

${indented([`acheron validate ${name}.json`, 'acheron up ./mnt --background --services-dir .', call, `cat mnt/nodes/local/services/${name}/result.json`, 'acheron unmount ./mnt'])}

While the node runs, changes of the manifest show as soon as they are saved.

${notes}

Change \`schema\`, \`invoke_template\`, \`help_md\` and \`permissions\` in the manifest to what your service takes and is for.
`;
}

const indented = (lines: readonly string[]): string => lines.map((line) => `    ${line}`).join('\n');
