import t from 'tap';
import { acheron, Up } from '../support/acheron.js';
import { shellManifest } from '../support/test-node.js';

t.test(
  'a name that is not there is answered with where, and with the one that may have been meant',
  async (t) => {
    const up = await Up.start(t, { manifests: [shellManifest('echo', 'cat')] });
    const said = async (...words: string[]): Promise<string> => {
      const { status, stderr } = await acheron([...words, '--state-dir', up.stateDir]);
      t.equal(status, 1, words.join(' '));
      return stderr;
    };
    const services = '/nodes/local/services';
    const inServices = `acheron: There is no "ehco" in ${services}. (ENOENT)\nDid you mean echo?\n`;
    t.equal(
      await said('invoke', 'ehco', '{}'),
      'acheron: There is no service "ehco". (ENOENT)\nDid you mean echo?\n',
    );
    t.equal(await said('invoke', 'local/ehco', '{}'), inServices);
    t.equal(await said('history', 'local/ehco'), inServices);
    t.equal(await said('cat', `${services}/ehco/README.md`), inServices);
    t.equal(await said('ls', `${services}/ehco`), inServices);
    t.equal(
      await said('invoke', 'lcoal/echo', '{}'),
      'acheron: There is no "lcoal" in /nodes. (ENOENT)\nDid you mean local?\n',
    );
    t.equal(
      await said('cat', `${services}/echo/nothing-like-it`),
      `acheron: There is no "nothing-like-it" in ${services}/echo. (ENOENT)\nacheron ls ${services}/echo shows what there is.\n`,
    );
  },
);

t.test('a slip in a subcommand is no shell that is not known', async (t) => {
  t.match(await acheron(['completion', 'instal']), { status: 2, stderr: /Did you mean install\?/ });
  t.match(await acheron(['completion', 'powershell']), {
    status: 2,
    stderr: /Allowed choices are bash, zsh, fish\./,
  });
});
