import { ATTACKS, type Target } from './attacks.js';

/** `attacker-program.js NAME TARGET-AS-JSON`: attacks until it is ended, or its parent is gone. */
const [name, target] = process.argv.slice(2) as [string, string];
process.on('disconnect', () => process.exit());
ATTACKS[name]!(JSON.parse(target) as Target);
