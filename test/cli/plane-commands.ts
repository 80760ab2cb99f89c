import type { Test } from 'tap';
import type { ControlPlaneOptions } from '../../lib/control/index.js';
import { acheron, type Ran } from '../support/acheron.js';
import { planeFor, type PlaneUnderTest } from '../support/plane.js';

/** A control plane, and the program pointed at it. */
export class PlaneCommands {
  readonly under: PlaneUnderTest;

  private constructor(under: PlaneUnderTest) {
    this.under = under;
  }

  static async start(t: Test, options: Partial<ControlPlaneOptions> = {}): Promise<PlaneCommands> {
    return new PlaneCommands(await planeFor(t, options));
  }

  get env(): NodeJS.ProcessEnv {
    return { ACHERON_CONTROL_URL: this.under.url, ACHERON_STATE_DIR: this.under.stateDir };
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Ran> {
    return acheron(args, { env: { ...this.env, ...env }, stdin });
  }

  /** What it prints with `--json`. @throws when it fails */
  async json<Value>(...args: readonly string[]): Promise<Value> {
    const { stdout, stderr, status } = await this.run([...args, '--json']);
    if (status !== 0) throw new Error(`acheron ${args.join(' ')} ended with ${status}: ${stderr}`);
    return JSON.parse(stdout) as Value;
  }
}
