import { Command } from 'commander';
import pc from 'picocolors';
import { diagnose } from '../../doctor/index.js';
import { EXIT } from '../failure.js';
import { jsonOption, stateDirOption } from '../options.js';
import { printJson } from '../print.js';
import { forOut, writeStyled } from '../write-out.js';
import { VERSION } from '../version.js';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what this machine lacks for mounting and running services, and how to mend it.')
    .addOption(stateDirOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  $ acheron doctor')
    .action(async (flags: { stateDir: string; json?: boolean }) => {
      const findings = await diagnose({ stateDir: flags.stateDir, version: VERSION });
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
