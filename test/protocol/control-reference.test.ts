import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CONTROL_MESSAGES, controlReference } from '../../lib/protocol/index.js';

const PAGE = join(import.meta.dirname, '..', '..', '..', 'docs', 'PROTOCOL.md');
const BEGIN = '<!-- control: made from the schemas by test/protocol/control-reference.test.ts -->';
const END = '<!-- control: end -->';

t.test('docs/PROTOCOL.md says of every control message what its schema says', async (t) => {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest = ''] = page.split(BEGIN);
  const [shown, after] = rest.split(END);
  const wanted = `\n\n${controlReference()}\n`;
  // `UPDATE_DOCS=1` writes the page anew.
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, `${before}${BEGIN}${wanted}${END}${after}`);
  else t.equal(shown, wanted, 'run this test with UPDATE_DOCS=1 and commit the page');
  for (const name of Object.keys(CONTROL_MESSAGES)) t.match(controlReference(), `### \`control.${name}\``);
});

t.test('each message named in the contract is there', async (t) => {
  const named = `version connect session_attach session_status session_list session_close session_resume ping metrics
    auth_status auth_rotate token_create token_list token_revoke node_invite_create node_join node_join_request
    node_join_pending_list node_join_approve node_join_deny node_lease_refresh node_list node_get node_delete
    node_service_upsert node_service_get node_service_watch node_service_unwatch project_create project_update
    project_get project_list project_delete project_token_rotate project_token_revoke audit_tail`;
  for (const name of named.split(/\s+/)) t.ok(Object.hasOwn(CONTROL_MESSAGES, name), name);
});
