import { quietError, type FsError } from '../core/index.js';

/**
 * What is answered for the attribute `name` of what has none at all. Labels of SELinux are "not
 * supported" there: `ls -l` then asks for no further one on the same filesystem, where ENODATA has it ask for each file.
 */
export function noAttributeError(name: string): FsError {
  if (name === 'security.selinux') return quietError('EOPNOTSUPP', 'Files here have no labels.');
  return quietError('ENODATA', `There is no attribute ${JSON.stringify(name)}.`);
}
