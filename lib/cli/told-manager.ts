import { serviceManagerFrom, type ServiceManager } from '../systemd/index.js';

let found: ServiceManager | null | undefined;

/** The service manager that waits for this process to be ready, or null: there is none. */
export function serviceManager(): ServiceManager | null {
  return (found ??= serviceManagerFrom(process.env));
}
