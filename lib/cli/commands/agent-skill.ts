import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { makeDirs } from '../../linux/index.js';
import { replaceFile } from '../../disk/index.js';
import { AGENTS } from '../../worldfs/index.js';
import { printLine } from '../print.js';
import { writeOut } from '../write-out.js';

/** When an agent reads the rest: it is in its mind all the time. */
const FRONT_MATTER = `---
name: acheron
description: Find and call services of machines by the files of an Acheron mount. Use it where a directory has nodes/INDEX.tsv, or a task needs a service of another machine.
---

`;

export function agentSkillCommand(): Command {
  return new Command('agent-skill')
    .description(
      'Print what an agent needs to know, as a skill file; or write it for agents that look for skills in a directory.',
    )
    .argument('[dir]', 'where the agent looks for skills: DIR/acheron/SKILL.md is written')
    .addHelpText(
      'after',
      '\nExamples:\n  $ acheron agent-skill .claude/skills\n  $ acheron agent-skill > SKILL.md',
    )
    .action(async (dir: string | undefined) => {
      const text = `${FRONT_MATTER}${AGENTS}`;
      if (dir === undefined) {
        await writeOut(text);
        return;
      }
      const folder = resolve(dir, 'acheron');
      makeDirs(folder);
      const path = join(folder, 'SKILL.md');
      replaceFile(path, text);
      await printLine(path);
    });
}
