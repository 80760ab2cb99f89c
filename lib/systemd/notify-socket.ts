import { createRequire } from 'node:module';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const MSG_NOSIGNAL = 0x4000;
const MAX_PATH = 108;
/** A service manager that is busy is waited for, but not for long. */
const PATIENCE_S = 1n;

/** Sends a datagram; false where nobody took it. */
export type SendDatagram = (content: string | Buffer) => boolean;

/**
 * Opens the way to `$NOTIFY_SOCKET`: a path, or `@name` of an abstract socket. Null where it is neither (`vsock:`), or there
 * are no such sockets to be had. Node itself has none.
 */
export function openNotifySocket(address: string): SendDatagram | null {
  const name = socketAddress(address);
  if (name === null || process.platform !== 'linux') return null;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const setsockopt = libc.func(
    'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
  );
  const sendto = libc.func(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *to, unsigned int to_length)',
  );
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) return null;
  const patience = Buffer.alloc(16);
  patience.writeBigInt64LE(PATIENCE_S);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, patience, patience.length);
  return (content) => {
    const data = typeof content === 'string' ? Buffer.from(content) : content;
    return Number(sendto(fd, data, data.length, MSG_NOSIGNAL, name, name.length)) === data.length;
  };
}

/** A sockaddr_un; null for what is none. */
export function socketAddress(address: string): Buffer | null {
  const isAbstract = address.startsWith('@');
  if (!isAbstract && !address.startsWith('/')) return null;
  // A path ends with a zero; an abstract name begins with one, and all that follows counts.
  const path = isAbstract ? Buffer.from(`\0${address.slice(1)}`) : Buffer.from(`${address}\0`);
  if (path.length > MAX_PATH || path.length < 2) return null;
  const made = Buffer.alloc(2 + path.length);
  made.writeUInt16LE(AF_UNIX);
  path.copy(made, 2);
  return made;
}
