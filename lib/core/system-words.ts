/** What the system refused, in the words of people who use files: for the code of a Node error. */
const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user has no permission',
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EBUSY: 'it is in use',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the other side broke the connection off',
  ECONNABORTED: 'the connection was broken off',
  EDQUOT: 'the quota of its disk is used up',
  EEXIST: 'it exists already',
  EFBIG: 'it would become larger than is allowed',
  EHOSTUNREACH: 'no way leads to that machine',
  EIO: 'its disk or device fails',
  EISDIR: 'it is a directory',
  ELOOP: 'its symbolic links lead in a circle',
  EMFILE: 'this process has as many files open as it may',
  ENAMETOOLONG: 'its name is too long',
  ENETUNREACH: 'no way leads to that network',
  ENFILE: 'this machine has as many files open as it can',
  ENOENT: 'there is no such file or directory',
  ENOMEM: 'this machine has no memory left',
  ENOSPC: 'its disk is full',
  ENOTCONN: 'it is a mount whose server has ended',
  ENOTDIR: 'it, or a part of its path, is not a directory',
  ENOTEMPTY: 'the directory is not empty',
  EPERM: 'that is not permitted there',
  EPIPE: 'its reader has gone',
  EROFS: 'its file system is read-only',
  ESTALE: 'the file system that it was on has changed',
  ETIMEDOUT: 'it does not answer',
  ETXTBSY: 'the program is running',
  EXDEV: 'it is on another file system',
};

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'Name another path, or have its owner give this user the right.',
  EDQUOT: 'Make room there, or name a path on another disk.',
  EISDIR: 'Name a file.',
  EMFILE: 'Raise the limit: ulimit -n in a shell, LimitNOFILE= in a unit of systemd.',
  ENFILE: 'End what is not needed, or raise the sysctl fs.file-max.',
  ENOENT: 'Correct the path.',
  ENOSPC: 'Make room there, or name a path on another disk.',
  ENOTCONN: 'Take the dead mount away: acheron unmount, with the directory.',
  ENOTDIR: 'Correct the path.',
  EROFS: 'Name a path that can be written.',
};

/** What was done, for "… cannot be …". */
const VERBS: Readonly<Record<string, string>> = {
  access: 'reached',
  chmod: 'changed',
  chown: 'changed',
  copyfile: 'copied',
  fsync: 'written',
  ftruncate: 'shortened',
  link: 'linked',
  lstat: 'looked at',
  mkdir: 'made',
  mkdtemp: 'made',
  open: 'opened',
  opendir: 'listed',
  read: 'read',
  readlink: 'read',
  realpath: 'reached',
  rename: 'renamed',
  rm: 'removed',
  rmdir: 'removed',
  scandir: 'listed',
  stat: 'looked at',
  statfs: 'looked at',
  symlink: 'made',
  unlink: 'removed',
  utime: 'changed',
  watch: 'watched',
  write: 'written',
};

interface SystemError {
  readonly code: string;
  readonly syscall: string;
  readonly path?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
}

interface Words {
  /** Without a capital and a full stop, for the end of a sentence. */
  readonly reason: string;
  /** The whole sentence. */
  readonly message: string;
  readonly hint?: string;
}

/** What an error of the system means, in words; undefined for what is no error of the system or has no words. */
export function wordsFromSystemError(thrown: Error): Words | undefined {
  if (!isSystemError(thrown)) return undefined;
  const { code, syscall } = thrown;
  const reason = reasonFrom(thrown);
  if (reason === undefined) return undefined;
  const hint = HINTS[code];
  return {
    reason,
    message: messageFrom(thrown, syscall, reason),
    ...(hint === undefined ? {} : { hint }),
  };
}

function messageFrom(thrown: SystemError, syscall: string, reason: string): string {
  const { path, address, port } = thrown;
  if (syscall === 'connect' && typeof address === 'string') {
    const place =
      typeof port === 'number' ? `${address.includes(':') ? `[${address}]` : address}:${port}` : address;
    return `There is no connection to ${place}: ${reason}.`;
  }
  if (typeof path === 'string') {
    const verb = syscall.startsWith('spawn') ? 'started' : (VERBS[syscall] ?? 'used');
    return `${path} cannot be ${verb}: ${reason}.`;
  }
  const verb = VERBS[syscall];
  return verb === undefined ? sentenceFrom(reason) : `It cannot be ${verb}: ${reason}.`;
}

function sentenceFrom(reason: string): string {
  return `${reason.slice(0, 1).toUpperCase()}${reason.slice(1)}.`;
}

function reasonFrom(error: SystemError & Error): string | undefined {
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    const name = typeof error.hostname === 'string' ? `the name ${error.hostname}` : 'this name';
    return error.code === 'ENOTFOUND'
      ? `no machine is known by ${name}`
      : `${name} cannot be looked up now, as no name server answers`;
  }
  if (error.code === 'EPROTO' && error.message.includes('wrong version number'))
    return 'what answers there does not speak TLS';
  return REASONS[error.code];
}

function isSystemError(thrown: Error): thrown is SystemError & Error {
  const { code, syscall } = thrown as { code?: unknown; syscall?: unknown };
  return typeof code === 'string' && typeof syscall === 'string';
}
