import t from 'tap';
import { acheron } from '../support/acheron.js';

t.test('what is called wrongly exits 2, in every command and subcommand, and runs nothing', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['tokn'], /unknown command 'tokn'\n\(Did you mean token\?\)/],
    [['--colour'], /unknown option '--colour'/],
    [['token', 'creat'], /unknown command 'creat'\n\(Did you mean create\?\)/],
    [['token', 'create', '--role', 'root'], /Allowed choices are user, admin/],
    [['token', 'create', '--agent', 'a/b'], /1 to 128 of the characters/],
    [['token', 'list', '--jsn'], /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['token', 'revoke'], /missing required argument 'token-id'/],
    [['nodes', 'list', '--control-url', 'nowhere'], /It must look like ws:/],
    [['nodes', 'list', '--control-url', 'ws://token@h:1'], /does not belong into an address/],
    [['nodes', 'get', 'a', 'b'], /too many arguments/],
    [['nodes'], /Usage: acheron nodes/],
  ];
  for (const [args, said] of wrong) {
    const { status, stdout, stderr } = await acheron(args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, said);
    t.equal(stdout, '');
  }
});

t.test('acheron alone, --help and help print help with examples, and exit 0', async (t) => {
  for (const args of [
    [],
    ['--help'],
    ['help'],
    ['token', '--help'],
    ['help', 'token'],
    ['token', 'list', '--help'],
  ]) {
    const { status, stdout, stderr } = await acheron(args);
    t.equal(status, 0, args.join(' '));
    t.match(stdout, /^Usage: acheron/);
    t.match(stdout, /\nExamples?:\n {2}\$ .*acheron /);
    t.equal(stderr, '');
  }
});
