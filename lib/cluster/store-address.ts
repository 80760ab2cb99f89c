import { homedir } from 'node:os';
import { join } from 'node:path';
import { FsError } from '../core/index.js';

export interface StoreHost {
  /** A name or an address; the directory of a socket begins with `/`. */
  readonly host: string;
  readonly port: number;
}

export const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** Where the store is. The password is apart, so that an address can be shown. */
export interface StoreAddress {
  readonly hosts: readonly StoreHost[];
  readonly user: string;
  readonly database: string;
  readonly schema: string;
  readonly sslMode: SslMode;
  /** Files of certificates, PEM. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
}

const DEFAULT_PORT = 5432;
const PARAMETERS = new Set([
  ...['host', 'port', 'user', 'dbname', 'schema', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
  ...['target_session_attrs', 'application_name'],
]);
const FORM =
  'It looks like postgres://user@host1,host2:5433/database?sslmode=verify-full&sslrootcert=/etc/ssl/store.pem';

/**
 * Reads what `--store` says. @throws FsError EINVAL; it repeats nothing of the text, in which a password may stand
 */
export function storeAddressFrom(text: string): StoreAddress {
  const parts = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (parts === null) throw refused('The address of the store cannot be read.');
  const [, login = '', hosts = '', path = '', query = ''] = parts;
  if (login.includes(':'))
    throw new FsError('EINVAL', 'A password does not belong into the address of the store: others see it.', {
      hint: 'Leave it out, and put it into a file for --store-password-file, into PGPASSWORD, or into ~/.pgpass.',
    });
  const parameters = new URLSearchParams(query);
  if (parameters.has('password'))
    throw new FsError('EINVAL', 'A password does not belong into the address of the store: others see it.', {
      hint: 'Leave it out, and put it into a file for --store-password-file, into PGPASSWORD, or into ~/.pgpass.',
    });
  for (const name of parameters.keys())
    if (!PARAMETERS.has(name))
      throw refused(`The address of the store has a parameter that is not known: ${name}.`);
  const session = parameters.get('target_session_attrs') ?? 'read-write';
  if (session !== 'read-write' && session !== 'primary')
    throw refused('target_session_attrs can be read-write or primary: a store is written to.');
  const sslMode = parameters.get('sslmode') ?? 'prefer';
  if (!SSL_MODES.includes(sslMode as SslMode)) throw refused(`sslmode is one of ${SSL_MODES.join(', ')}.`);
  const user = decoded(login) || parameters.get('user') || process.env['PGUSER'] || process.env['USER'];
  if (user === undefined) throw refused('The address of the store names no user.');
  const port = portFrom(parameters.get('port') ?? process.env['PGPORT'] ?? String(DEFAULT_PORT));
  const named = (hosts || parameters.get('host') || process.env['PGHOST'] || 'localhost').split(',');
  return {
    hosts: named.map((name) => hostFrom(decoded(name), port)),
    user,
    database: decoded(path) || parameters.get('dbname') || process.env['PGDATABASE'] || user,
    schema: schemaFrom(parameters.get('schema') ?? 'acheron'),
    sslMode: sslMode as SslMode,
    sslRootCert: parameters.get('sslrootcert') ?? undefined,
    sslCert: parameters.get('sslcert') ?? undefined,
    sslKey: parameters.get('sslkey') ?? undefined,
  };
}

/** For people. */
export function storeName({ hosts, database, schema }: StoreAddress): string {
  const where = hosts.map(({ host, port }) => `${host}:${port}`).join(',');
  return `postgres://${where}/${database}${schema === 'acheron' ? '' : `?schema=${schema}`}`;
}

/** Where PostgreSQL's own tools look for passwords. */
export const passFilePath = (): string => process.env['PGPASSFILE'] ?? join(homedir(), '.pgpass');

/** The password for a host in the text of such a file: `host:port:database:user:password`, each of the first four perhaps `*`. */
export function passwordIn(
  text: string,
  address: StoreAddress,
  { host, port }: StoreHost,
): string | undefined {
  const wanted = [host.startsWith('/') ? 'localhost' : host, String(port), address.database, address.user];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(([, field = '']) =>
      field.replaceAll(/\\(.)/g, '$1'),
    );
    if (fields.length < 5) continue;
    if (wanted.every((value, at) => fields[at] === '*' || fields[at] === value)) return fields[4];
  }
  return undefined;
}

function hostFrom(text: string, port: number): StoreHost {
  const [, v6, name, own] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
  const host = v6 ?? name;
  if (host === undefined) throw refused('A host of the store cannot be read.');
  return { host, port: own === undefined ? port : portFrom(own) };
}

function portFrom(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw refused('A port of the store is no number up to 65535.');
  return port;
}

function schemaFrom(text: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(text)) return text;
  throw refused('The schema of the store is a name of small letters, digits and _.');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused('The address of the store cannot be read.');
  }
}

const refused = (what: string): FsError => new FsError('EINVAL', what, { hint: FORM });
