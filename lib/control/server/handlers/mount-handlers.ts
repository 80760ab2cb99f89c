import type { MountName } from '../../../protocol/index.js';
import type { Handler, Handlers } from './handler.js';

const atPath =
  <Name extends MountName>(name: Name): Handler<Name> =>
  (connection, payload) =>
    connection.files.atPath(name, payload);

/** Files by their paths; the composition root knows the tree. */
export const mountHandlers: Handlers<MountName> = {
  mount_attach: atPath('mount_attach'),
  mount_file_read: atPath('mount_file_read'),
  mount_file_write: atPath('mount_file_write'),
  mount_path_readlink: atPath('mount_path_readlink'),
  mount_path_mkdir: atPath('mount_path_mkdir'),
  mount_path_unlink: atPath('mount_path_unlink'),
  mount_path_rmdir: atPath('mount_path_rmdir'),
  mount_path_rename: atPath('mount_path_rename'),
  mount_path_symlink: atPath('mount_path_symlink'),
  mount_path_setattr: atPath('mount_path_setattr'),
  mount_path_getxattr: atPath('mount_path_getxattr'),
  mount_path_setxattr: atPath('mount_path_setxattr'),
  mount_path_listxattr: atPath('mount_path_listxattr'),
  mount_path_removexattr: atPath('mount_path_removexattr'),
};
