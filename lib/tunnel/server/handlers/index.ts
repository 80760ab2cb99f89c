import { attributeHandlers } from './attributes.js';
import { contentHandlers } from './content.js';
import { directoryHandlers } from './directories.js';
import type { Handlers } from './handler.js';
import { nameHandlers } from './names.js';

export type { ServedName, ServedReply, ServedRequest, Server } from './handler.js';

/** What each request does to the tree. */
export const FS_HANDLERS: Handlers = {
  ...nameHandlers,
  ...directoryHandlers,
  ...contentHandlers,
  ...attributeHandlers,

  cancel({ peer, payload }) {
    const running = peer.running.get(payload.oldtag);
    running?.cancel();
    return { payload: { found: running !== undefined } };
  },
};
