import { FsError } from '../core/index.js';
import type { Driver, Invocation, Outcome } from '../drivers/index.js';
import type { ServiceDefinition } from '../manifest/index.js';
import type { ServiceEnvironment } from './environment.js';
import type { InputCheck } from './request/request.js';

/**
 * What runs the calls of one definition. A new definition gets a new engine; the old one is retired, and
 * frees its driver once the calls that it runs have ended.
 */
export class Engine {
  readonly definition: ServiceDefinition;
  readonly driver: Driver | null;
  readonly check: InputCheck;
  readonly #env: ServiceEnvironment;
  #inFlight = 0;
  #retired = false;

  constructor(definition: ServiceDefinition, env: ServiceEnvironment) {
    this.definition = definition;
    this.#env = env;
    this.driver = env.createDriver(definition);
    this.check = env.inputCheck(definition);
  }

  async invoke(call: Invocation): Promise<Outcome> {
    if (this.driver === null)
      throw new FsError('EIO', `The service ${this.definition.serviceId} can no longer be invoked.`);
    this.#inFlight++;
    try {
      return await this.driver.invoke(call);
    } finally {
      if (--this.#inFlight === 0 && this.#retired) void this.#free();
    }
  }

  retire(): void {
    this.#retired = true;
    if (this.#inFlight === 0) void this.#free();
  }

  async #free(): Promise<void> {
    try {
      await this.driver?.close();
    } catch (thrown) {
      this.#env.log.error('A replaced driver did not end cleanly.', {
        service: this.definition.serviceId,
        error: FsError.from(thrown).message,
      });
    }
  }
}
