import { Command } from 'commander';
import pc from 'picocolors';
import { storeName } from '../../cluster/index.js';
import { probeAddress, type AddressProbe } from '../../control/client/index.js';
import { FsError, silentLog } from '../../core/index.js';
import { diagnose, endOf, finding, type Finding } from '../../doctor/index.js';
import { addressesIn } from '../../transport/index.js';
import { EXIT } from '../failure.js';
import { jsonOption, option, stateDirOption, port } from '../options.js';
import { certificatesIn, controlUrlOption, tlsCaOption, tokenFileOption } from '../plane-options.js';
import { plain, printJson } from '../print.js';
import { forOut, writeStyled } from '../write-out.js';
import { addStoreOptions, storePasswordFrom, type StoreFlags } from '../store-options.js';
import { VERSION } from '../version.js';
import { wrapped } from '../wrapped.js';

interface Flags extends StoreFlags {
  readonly stateDir: string;
  readonly port: number;
  readonly controlUrl?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly json?: boolean;
}

const EXAMPLES = `
With --control-url it also looks which of these addresses answer, at their clocks and certificates; with --store whether PostgreSQL can be
reached. It exits with 1 where something is broken; a note is no fault.

Examples:
  $ acheron doctor
  $ acheron doctor --control-url wss://a.example:18790,wss://b.example:18790
  $ acheron doctor --tls-cert /etc/acheron/plane.crt --json`;

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Say what this machine lacks for mounting and running services, and how to mend it.')
    .addOption(stateDirOption())
    .addOption(controlUrlOption())
    .addOption(tlsCaOption())
    .addOption(tokenFileOption())
    .addOption(option('--tls-cert <file>', 'a certificate of this machine, PEM'))
    .addOption(option('--tls-key <file>', 'its key, PEM'))
    .addOption(
      option('--port <port>', 'where a control plane of this machine listens').argParser(port).default(18790),
    )
    .addOption(jsonOption());
  return addStoreOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: Flags) => {
      const { stateDir, port, tlsCert, tlsCa, tlsKey, tokenFile, storePasswordFile } = flags;
      const given = (files: readonly (string | undefined)[]): string[] =>
        files.filter((file) => file !== undefined);
      const found = await Promise.all([
        diagnose({
          ...{ stateDir, port, version: VERSION },
          secrets: given([tokenFile, tlsKey, storePasswordFile]),
          certificates: given([tlsCert, tlsCa]),
        }),
        addressFindings(flags),
        storeFindings(flags),
      ]);
      const findings = found.flat();
      if (flags.json === true) await printJson(findings);
      else for (const finding of findings) await writeStyled(textOf(finding));
      if (findings.some((finding) => finding.state === 'broken')) process.exitCode = EXIT.failed;
    });
}

/** A finding, and below it what mends it. */
function textOf({ state, what, remedy }: Finding): string {
  // The mark is coloured, and colours have no width: it takes the place of the margin.
  const margin = ' '.repeat(MARK_COLUMNS + 1);
  const found = wrapped(margin + forOut(what), margin.length).slice(MARK_COLUMNS);
  const mended = remedy === null ? '' : `${wrapped(`    ${forOut(remedy)}`, 4)}\n`;
  return `${MARKS[state]}${found}\n${mended}`;
}

const MARK_COLUMNS = 4;
const MARKS = { fine: pc.green('ok  '), note: pc.yellow('note'), broken: pc.red('FAIL') };

/** Whether each control plane that was named answers. */
async function addressFindings({ controlUrl = '', tlsCa }: Flags): Promise<Finding[]> {
  let ca: string | undefined;
  try {
    ca = certificatesIn(tlsCa);
  } catch {
    // What is wrong with the file is said where it is looked at.
  }
  const probes = await Promise.all(addressesIn(controlUrl).map((url) => probeAddress(url, ca)));
  return probes.flatMap((probe) => [reached(probe), ...clockOf(probe), ...certificateOf(probe)]);
}

function reached({ url, state, reason }: AddressProbe): Finding {
  return finding(
    'address',
    state === 'ready' ? 'fine' : state === 'down' ? 'broken' : 'note',
    `The control plane at ${url} is ${state}${reason === null ? '' : `: ${plain(reason)}`}.`,
    state === 'ready' ? null : REMEDIES[state],
  );
}

/** Leases and certificates bear a little difference. */
const LITTLE_MS = 5_000;
const MUCH_MS = 60_000;

function clockOf({ url, aheadMs }: AddressProbe): Finding[] {
  if (aheadMs === undefined) return [];
  const off = Math.abs(aheadMs);
  if (off <= LITTLE_MS) return [finding('clocks', 'fine', `This clock agrees with that of ${url}.`)];
  return [
    finding(
      'clocks',
      off > MUCH_MS ? 'broken' : 'note',
      `This clock is ${Math.round(off / 1000)} s ${aheadMs > 0 ? 'behind' : 'ahead of'} that of ${url}.`,
      'Have a time server keep both: timedatectl set-ntp true.',
    ),
  ];
}

function certificateOf({ url, certificate }: AddressProbe): Finding[] {
  if (certificate === undefined) return [];
  const remedy = 'Have it renewed there, and reload the control plane. --tls-auto does so by itself.';
  return [endOf(`of ${url}`, certificate.fromMs, certificate.toMs, { nowMs: Date.now(), remedy })];
}

const STORE_MS = 5_000;

/** Whether the database of several control planes can be used. */
async function storeFindings(flags: StoreFlags): Promise<Finding[]> {
  const { store } = flags;
  if (store === undefined) return [];
  const { PostgresLog } = await import('../../cluster/index.js');
  const options = { address: store, password: storePasswordFrom(flags), log: silentLog };
  try {
    const { inUse, rivals } = await PostgresLog.check(options, STORE_MS);
    return [
      finding('store', 'fine', `The store ${storeName(store)} can be used.`),
      ...rivals.map((rival) =>
        finding(
          'store',
          'broken',
          `${rival} takes writes as well as ${inUse}: one of them was the primary before a failover.`,
          'Stop the old one, or make it a standby of the other (pg_rewind).',
        ),
      ),
    ];
  } catch (thrown) {
    const { message, hint } = FsError.from(thrown);
    return [
      finding(
        'store',
        'broken',
        `The store ${storeName(store)} cannot be used: ${message.replace(/\.$/, '')}.`,
        hint ?? 'See whether PostgreSQL runs there, and whether user, password and database are right.',
      ),
    ];
  }
}

const REMEDIES = {
  'not ready': 'It starts, or is about to stop; clients use the other addresses meanwhile.',
  down: 'See whether it runs there, and whether a firewall or a wrong certificate (--tls-ca) is between.',
};
