import { Command } from 'commander';
import pc from 'picocolors';
import { probeAddress } from '../../control/client/index.js';
import { diagnose, type Finding } from '../../doctor/index.js';
import { addressesIn } from '../../transport/index.js';
import { EXIT } from '../failure.js';
import { jsonOption, stateDirOption } from '../options.js';
import { certificatesIn, controlUrlOption, tlsCaOption } from '../plane-options.js';
import { plain, printJson } from '../print.js';
import { forOut, writeStyled } from '../write-out.js';
import { VERSION } from '../version.js';

interface Flags {
  readonly stateDir: string;
  readonly controlUrl?: string;
  readonly tlsCa?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
With --control-url it also looks which of these addresses answer.

Examples:
  $ acheron doctor
  $ acheron doctor --control-url wss://a.example:18790,wss://b.example:18790`;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what this machine lacks for mounting and running services, and how to mend it.')
    .addOption(stateDirOption())
    .addOption(controlUrlOption())
    .addOption(tlsCaOption())
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      const [machine, addresses] = await Promise.all([
        diagnose({ stateDir: flags.stateDir, version: VERSION }),
        addressFindings(flags),
      ]);
      const findings = [...machine, ...addresses];
      if (flags.json === true) await printJson(findings);
      else
        for (const finding of findings)
          await writeStyled(
            `${MARKS[finding.state]} ${forOut(finding.what)}\n${finding.remedy === null ? '' : `    ${forOut(finding.remedy)}\n`}`,
          );
      if (findings.some((finding) => finding.state === 'broken')) process.exitCode = EXIT.failed;
    });
}

const MARKS = { fine: pc.green('ok  '), note: pc.yellow('note'), broken: pc.red('FAIL') };

/** Whether each control plane that was named answers. */
async function addressFindings({ controlUrl = '', tlsCa }: Flags): Promise<Finding[]> {
  const ca = certificatesIn(tlsCa);
  const probes = await Promise.all(addressesIn(controlUrl).map((url) => probeAddress(url, ca)));
  return probes.map(({ url, state, reason }) => ({
    check: 'address',
    state: state === 'ready' ? 'fine' : state === 'down' ? 'broken' : 'note',
    what: `The control plane at ${url} is ${state}${reason === null ? '' : `: ${plain(reason)}`}.`,
    remedy: state === 'ready' ? null : REMEDIES[state],
  }));
}

const REMEDIES = {
  'not ready': 'It starts, or is about to stop; clients use the other addresses meanwhile.',
  down: 'See whether it runs there, and whether a firewall or a wrong certificate (--tls-ca) is between.',
};
