import { chain } from '../../vfs/index.js';
import type { Filesystem } from '../kernel/index.js';
import type { MountState } from './mount-state.js';
import { statfsFrom } from './translate.js';

type AttributeHandlers = Pick<Filesystem, 'access' | 'statfs'>;
type ExtendedHandlers = Pick<Filesystem, 'getxattr' | 'setxattr' | 'listxattr' | 'removexattr'>;

export function attributeHandlers(s: MountState): AttributeHandlers {
  return {
    access: (nodeid, mask, call) => s.reached(nodeid, call).node.access(mask & 7, s.op(call)),
    statfs: (nodeid, call) => chain(s.node(nodeid).statfs(s.op(call)), statfsFrom),
  };
}

/** None where there are no such attributes: the kernel then asks once, and not for each file that `ls -l` shows. */
export function extendedAttributeHandlers(s: MountState): Partial<ExtendedHandlers> {
  if (s.vfs.extendedAttributes === false) return {};
  return {
    getxattr: (nodeid, name, call) => s.node(nodeid).getxattr(name, s.op(call)),
    setxattr: (nodeid, name, value, flags, call) => s.node(nodeid).setxattr(name, value, flags, s.op(call)),
    listxattr: (nodeid, call) => s.node(nodeid).listxattr(s.op(call)),
    removexattr: (nodeid, name, call) => s.node(nodeid).removexattr(name, s.op(call)),
  };
}
