import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { needsRoot, runInNamespace } from '../attacks/fixtures/local-account.js';
import { PROGRAM } from '../support/acheron.js';
import { shellManifest, temporaryDir } from '../support/test-node.js';

const PRELOADED = join(import.meta.dirname, '..', 'support', 'as-macos-program.js');

t.test(
  'where the platform is macOS and there is no /proc, a node listens, runs calls, is backed up and ends',
  needsRoot,
  async (t) => {
    const dir = temporaryDir(t);
    mkdirSync(join(dir, 'services'));
    writeFileSync(join(dir, 'services', 'echo.json'), JSON.stringify(shellManifest('echo', 'cat')), {
      mode: 0o600,
    });
    const script = `mount -t tmpfs tmpfs /proc
    export NODE_OPTIONS="--import ${PRELOADED}"
    acheron() { '${process.execPath}' '${PROGRAM}' "$@" --state-dir '${dir}/state'; }
    '${process.execPath}' '${PROGRAM}' node --node-name n --services-dir '${dir}/services' --listen 0 --state-dir '${dir}/state' >'${dir}/said' 2>&1 &
    node=$!
    until grep -q 'is running' '${dir}/said'; do kill -0 $node; sleep 0.05; done
    acheron invoke n/echo '{"a":1}'
    acheron invoke n/echo '{"a":2}' --key k
    acheron ls /nodes/n/services
    acheron backup '${dir}/b.tgz' 2>&1
    acheron restore '${dir}/b.tgz' 2>&1 || echo "restore: $?"
    acheron stop 2>&1 || echo "stop: $?"
    '${process.execPath}' '${PROGRAM}' unmount '${dir}/none' 2>&1
    kill $node
    wait $node
    cat '${dir}/said'`;
    const { stdout, stderr, status } = await runInNamespace(script);
    t.equal(status, 0, stderr);
    for (const said of [
      /"a": 1/,
      /"a": 2/,
      /^echo\/$/m,
      /The node of .* is in .*b\.tgz/,
      /A node runs with the state file[^]*restore: 1/,
      /This system does not tell which process uses[^]*stop: 1/,
      /Nothing is mounted/,
      /Node n is running/,
    ])
      t.match(stdout, said);
    t.notMatch(stdout, /\berror\b/);
  },
);
