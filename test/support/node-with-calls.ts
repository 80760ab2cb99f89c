// Stands for a node that is killed while drivers run: argv[2] is its ledger. Prints a line once they do.
import { silentLog, systemClock } from '../../lib/core/index.js';
import { FileLedger, createDriver } from '../../lib/drivers/index.js';
import { callOf, processRuntime, serviceId } from './drivers.js';

const ledger = new FileLedger(process.argv[2]!);
const context = { nodeId: 'n1', ledger, driverUser: null, log: silentLog, clock: systemClock };
const driver = createDriver({ serviceId, runtime: processRuntime() }, context)!;
const calls = [callOf({ do: 'fork-and-hang' }), callOf({ do: 'stubborn' })];
for (const call of calls) void driver.invoke(call);
await Promise.all(calls.map((call) => call.firstOutput));
console.log('running');
