import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Way } from './way.js';

/** An agent with a shell: in a mount, or with the command line. */
export function shellWay(
  name: string,
  resident: string,
  { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
): Way {
  return {
    name,
    resident,
    tools: [
      {
        name: 'shell',
        description: 'Runs a command in sh.',
        parameters: { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] },
      },
    ],
    use: async (_tool, { command }) => {
      const child = spawn('sh', ['-c', String(command)], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => (said += text));
      await once(child, 'close');
      return said;
    },
    close: () => Promise.resolve(),
  };
}
