/** The version of the runtime protocol, in `t_version`. */
export const ACHERON_VERSION = 'acheron-1';
/** The name and number of the file protocol, in `t_fs_hello`. */
export const FS_PROTOCOL = 'unified-v2-fs';
export const FS_PROTO = 2;
/** The node number of a connection's root. */
export const ROOT_NODE = 1;

export const LAYOUT = 'worldfs-v1';
