import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';

/** When a service that fails is given a rest: `supervision` in its config.json. */
export interface SupervisionPolicy {
  /** So many failures in a row (timeouts included) are too many; 0 for never. */
  readonly maxConsecutiveFailures: number;
  /** So many timeouts in a row are too many; 0 for never. */
  readonly maxConsecutiveTimeouts: number;
  /** How long it then rests; 0 until someone enables or restarts it. */
  readonly cooldownMs: number;
  /** False only reports the service as degraded, and lets calls go on. */
  readonly autoDisableOnThreshold: boolean;
}

export const DEFAULT_POLICY: SupervisionPolicy = {
  maxConsecutiveFailures: 0,
  maxConsecutiveTimeouts: 0,
  cooldownMs: 10_000,
  autoDisableOnThreshold: true,
};

/**
 * The policy that a config holds; what it leaves out has its default.
 * @throws FsError EINVAL naming the member that is not what it has to be.
 */
export function policyFromConfig(config: JsonObject): SupervisionPolicy {
  const given = ownValue(config, 'supervision') ?? {};
  if (!isJsonObject(given)) throw wrong('supervision', 'an object');
  const count = (name: string, fallback: number): number => {
    const value = ownValue(given, name);
    if (value === undefined) return fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw wrong(`supervision.${name}`, 'an integer of 0 or more');
  };
  const auto = ownValue(given, 'auto_disable_on_threshold') ?? DEFAULT_POLICY.autoDisableOnThreshold;
  if (typeof auto !== 'boolean') throw wrong('supervision.auto_disable_on_threshold', 'true or false');
  return {
    maxConsecutiveFailures: count('max_consecutive_failures', DEFAULT_POLICY.maxConsecutiveFailures),
    maxConsecutiveTimeouts: count('max_consecutive_timeouts', DEFAULT_POLICY.maxConsecutiveTimeouts),
    cooldownMs: count('cooldown_ms', DEFAULT_POLICY.cooldownMs),
    autoDisableOnThreshold: auto,
  };
}

/** The policy as health.json shows it. */
export function documentFromPolicy(policy: SupervisionPolicy): JsonObject {
  return {
    max_consecutive_failures: policy.maxConsecutiveFailures,
    max_consecutive_timeouts: policy.maxConsecutiveTimeouts,
    cooldown_ms: policy.cooldownMs,
    auto_disable_on_threshold: policy.autoDisableOnThreshold,
  };
}

function wrong(member: string, expected: string): FsError {
  return new FsError('EINVAL', `"${member}" in the config is not ${expected}.`, {
    hint: 'Correct it and write the whole config again.',
  });
}
