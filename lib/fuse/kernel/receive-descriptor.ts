import koffi from 'koffi';

/**
 * What Node does not offer: a socket pair, and a descriptor that comes through one (SCM_RIGHTS,
 * unix(7)). Linux, 64 bit.
 */
const libc = koffi.load(null);
const socketpair = libc.func('int socketpair(int domain, int type, int protocol, _Out_ int *pair)');
const recvmsg = libc.func('long recvmsg(int fd, void *message, int flags)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

/** Both ends close-on-exec. @throws Error when there are no descriptors left. */
export function socketPair(): [number, number] {
  const pair: [number, number] = [0, 0];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !== 0) throw new Error('socketpair failed.');
  return pair;
}

/** The descriptor that waits in `socket`, close-on-exec; undefined when none does. */
export function receiveDescriptor(socket: number): number | undefined {
  const text = Buffer.alloc(8);
  const iovec = Buffer.alloc(16);
  iovec.writeBigUInt64LE(koffi.address(text), 0);
  iovec.writeBigUInt64LE(BigInt(text.byteLength), 8);
  const control = Buffer.alloc(24); // CMSG_SPACE(sizeof(int))
  const message = Buffer.alloc(56); // struct msghdr
  message.writeBigUInt64LE(koffi.address(iovec), 16); // msg_iov
  message.writeBigUInt64LE(1n, 24); // msg_iovlen
  message.writeBigUInt64LE(koffi.address(control), 32); // msg_control
  message.writeBigUInt64LE(BigInt(control.byteLength), 40); // msg_controllen
  if (Number(recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) return undefined;
  const got = Number(message.readBigUInt64LE(40));
  const isDescriptor =
    got >= 20 && control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  return isDescriptor ? control.readInt32LE(16) : undefined;
}
