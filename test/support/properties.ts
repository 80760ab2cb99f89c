import fc from 'fast-check';
import { SEED } from './extent.js';

fc.configureGlobal({ seed: SEED });

/** fast-check, whose cases come from the seed of the run. */
export default fc;
