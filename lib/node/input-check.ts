import { FsError } from '../core/index.js';
import { requestCheckOf, type InputFault, type ServiceDefinition } from '../manifest/index.js';
import type { InputCheck } from '../services/index.js';

/** Checks requests by the schema of a service; the error says all that is wrong. */
export function inputCheckOf(definition: ServiceDefinition): InputCheck {
  const check = requestCheckOf(definition);
  const errorOf = (faults: readonly InputFault[] | null): FsError | null =>
    faults === null ? null : schemaError(faults);
  return (bytes, input) => {
    const faults = check(bytes, input);
    return faults instanceof Promise ? faults.then(errorOf) : errorOf(faults);
  };
}

/** So many faults are reported at once. */
const MAX_FAULTS = 8;

function schemaError(faults: readonly InputFault[]): FsError {
  const sentences = faults
    .slice(0, MAX_FAULTS)
    .map(({ pointer, expected, got }) => `at ${JSON.stringify(pointer)} expected ${expected}, got ${got}`);
  if (faults.length > MAX_FAULTS) sentences.push(`and ${faults.length - MAX_FAULTS} more`);
  return new FsError('EINVAL', `The request does not fit the schema: ${sentences.join('; ')}.`, {
    hint: 'SCHEMA.json says what a request may hold; TEMPLATE.json is one that passes.',
  });
}
