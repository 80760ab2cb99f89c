import type { lookup } from 'node:dns';
import type { Clock, Log, ServiceId } from '../core/index.js';
import type { Offers } from '../manifest/index.js';
import type { AheadStarts } from './ahead-starts.js';
import type { AddressRules } from './http/addresses.js';
import type { DriverUser } from './native-proc/ids.js';
import type { ProcessLedger } from './native-proc/process-ledger.js';

/** What a driver needs of the node that runs it. */
export interface DriverContext {
  readonly nodeId: string;
  /** Where running process groups are recorded, so that the next start can end what a killed node left; null keeps no record. */
  readonly ledger: ProcessLedger | null;
  /** `--driver-user`. */
  readonly driverUser: DriverUser;
  /** Refuses to run what other users could change (unless `--trust-writable`), looked at before each start. */
  readonly refusesWritable?: boolean;
  /** Absent: what is started ahead of calls is started at once. */
  readonly ahead?: AheadStarts;
  /** A service that runs offers these beside itself, from now on. Absent: nobody wants to know. */
  readonly onOffers?: (serviceId: ServiceId, offers: Offers) => void;
  /** `--allow-private`: which addresses services may reach by themselves. Absent: public ones alone. */
  readonly addresses?: AddressRules;
  /** How their hosts become addresses. Absent: as the system says. */
  readonly resolver?: typeof lookup;
  readonly log: Log;
  readonly clock: Clock;
}
