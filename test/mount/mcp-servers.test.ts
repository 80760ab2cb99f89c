import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Up } from '../support/acheron.js';
import { fixture } from '../support/drivers.js';
import { Program } from '../support/plane-processes.js';
import { referenceServer } from '../support/reference-servers.js';
import { SHELLS, lacks, runShell, type Shell, type ShellResult } from '../support/shells.js';
import { temporaryDir } from '../support/test-node.js';
import { until } from '../support/until.js';

t.setTimeout(240_000);

t.test('the reference servers are services, in every shell', async (t) => {
  const files = join(temporaryDir(t), 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'hello.txt'), 'hello\n');
  const up = await Up.start(t, {
    manifests: [
      referenceServer('every', 'server-everything', ['stdio']),
      referenceServer('files', 'server-filesystem', [files]),
      referenceServer('memory', 'server-memory', [], {
        env: { MEMORY_FILE_PATH: join(temporaryDir(t), 'memory.jsonl') },
      }),
      referenceServer('thinking', 'server-sequential-thinking'),
    ],
  });
  const run = (script: string, shell: Shell = 'sh'): Promise<ShellResult> =>
    runShell(shell, script, { cwd: up.service('') });
  const first = [
    'every.echo',
    'files.read_text_file',
    'memory.create_entities',
    'thinking.sequentialthinking',
  ];
  for (const service of first) await until(() => existsSync(up.service(service)), `${service} is there`);

  for (const shell of SHELLS)
    t.test(
      `${shell}: a tool is called by echo, and its answer is a file`,
      { skip: lacks(shell) },
      async (t) => {
        t.match(
          await run(
            `echo '{"message":"hi"}' > every.echo/control/invoke.json && cat every.echo/result.json`,
            shell,
          ),
          {
            status: 0,
            stdout: '{\n  "text": "Echo: hi"\n}\n',
          },
        );
        t.match(
          await run(
            `echo '{"a":2,"b":3}' > every.get-sum/control/invoke.json && cat every.get-sum/result.json`,
            shell,
          ),
          {
            status: 0,
            stdout: /The sum of 2 and 3 is 5/,
          },
        );
        const wrong = await run(
          `echo '{"a":"x"}' > every.get-sum/control/invoke.json || cat every.get-sum/last_error.txt`,
          shell,
        );
        t.match(wrong.stdout, /^EINVAL: /);
        const read = `echo '{"path":"${files}/hello.txt"}' > files.read_text_file/control/invoke.json`;
        t.match(await run(`${read} && cat files.read_text_file/result.json`, shell), {
          status: 0,
          stdout: /hello/,
        });
        const missing = `echo '{"path":"${files}/none"}' > files.read_text_file/control/invoke.json`;
        const failed = await run(`${missing} || cat files.read_text_file/last_error.txt`, shell);
        t.match(failed.stdout, /^EIO: The tool reports: .*ENOENT/);
        const entity = JSON.stringify({
          entities: [{ name: shell, entityType: 'shell', observations: ['it works'] }],
        });
        t.match(await run(`echo '${entity}' > memory.create_entities/control/invoke.json`, shell), {
          status: 0,
        });
        t.match(
          await run(
            `echo '{}' > memory.read_graph/control/invoke.json && cat memory.read_graph/result.json`,
            shell,
          ),
          {
            status: 0,
            stdout: new RegExp(`"name": "${shell}"`),
          },
        );
        const thought = JSON.stringify({
          thought: 'a',
          nextThoughtNeeded: false,
          thoughtNumber: 1,
          totalThoughts: 1,
        });
        t.match(
          await run(
            `echo '${thought}' > thinking.sequentialthinking/control/invoke.json && cat thinking.sequentialthinking/result.json`,
            shell,
          ),
          { status: 0, stdout: /"thoughtNumber": 1/ },
        );
      },
    );

  t.test('everything can be read, and nothing hangs', async (t) => {
    t.match(await run('grep -rq "MCP server" . && tar cf - . | tar tf - >/dev/null'), {
      status: 0,
      timedOut: false,
    });
  });
});

t.test('a question is answered by echo, and a server that is killed fails the write', async (t) => {
  const up = await Up.start(t, {
    manifests: [
      {
        service_id: 'many',
        kind: 'mcp',
        permissions: { allow_roles: ['admin', 'user'] },
        runtime: {
          type: 'mcp',
          command: process.execPath,
          args: [fixture('many-mcp.mjs')],
          elicitation: true,
        },
      },
    ],
  });
  await until(() => existsSync(up.service('many.act')), 'its tool is there');
  const run = (script: string): Promise<ShellResult> =>
    runShell('sh', script, { cwd: up.service('many.act') });
  const asked = await run(`echo '{"do":"ask"}' > control/submit.json
    until [ -e jobs/latest/question.json ]; do sleep 0.05; done
    cat jobs/latest/question.json
    echo '{"name":"Ada"}' > jobs/latest/answer.json && echo 15 > jobs/latest/wait && cat jobs/latest/result.json`);
  t.match(asked, { status: 0, stdout: /"message": "Who\?"[^]*"action": "accept"[^]*"name": "Ada"/ });
  const invoked = new Program(t, ['invoke', 'many.act', 'do=ask', '--state-dir', up.stateDir]);
  await invoked.says(/^It asks: Who\?\n.*nodes\/local\/services\/many\.act\/jobs\/\w+\/answer\.json$/m);
  t.match(await run('echo null > jobs/latest/answer.json'), { status: 0 });
  await invoked.says(/"action": "decline"/);
  const killed = await run(`echo '{"do":"context"}' > control/invoke.json && pid=$(jq .pid result.json)
    { until grep -q hanging jobs/latest/stderr; do sleep 0.05; done; kill -9 "$pid"; } &
    echo '{"do":"hang"}' > control/invoke.json || cat last_error.txt`);
  t.match(killed.stdout, /^EIO: The MCP server ended while the call ran\..*SIGKILL/s);
  t.match(await run(`echo '{"do":"echo"}' > control/invoke.json`), { status: 0 });
});
