import { join } from 'node:path';
import t from 'tap';
import { lacksConformance, runConformance } from '../support/conformance.js';
import { inOneFile } from '../support/one-file.js';

const PROGRAM = await inOneFile(t, join(import.meta.dirname, '..', 'support', 'mcp-client-program.js'));

/** All that the suite has for clients but those of OAuth, which the driver does not speak: it sends the headers it is given. */
const SCENARIOS = ['initialize', 'tools_call', 'elicitation-sep1034-client-defaults', 'sse-retry'];

for (const scenario of SCENARIOS)
  t.test(`the driver passes ${scenario} of the conformance suite`, { skip: lacksConformance }, async (t) => {
    const command = `${process.execPath} ${PROGRAM}`;
    const { status, said } = await runConformance(t, [
      'client',
      '--scenario',
      scenario,
      '--command',
      command,
    ]);
    t.equal(status, 0, said.slice(-4000));
  });
