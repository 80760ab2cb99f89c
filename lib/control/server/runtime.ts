import type { JsonObject } from '../../core/index.js';
import {
  acheronError,
  requestReferenceOf,
  runtimeFault,
  runtimeReply,
  runtimeRequestFrom,
  type AcheronEnvelope,
  type MountName,
  type MountReply,
  type MountRequest,
  type RuntimeRequest,
} from '../../protocol/index.js';
import type { LiveSession } from '../store/sessions.js';

/** Serves the files of one control connection by fids; the composition root knows the tree. */
export interface RuntimeChannel {
  /** The payload of the answer. @throws FsError, ProtocolFault */
  answer(request: RuntimeRequest): Promise<object>;
  /** What a request does that names a path. @throws FsError, ProtocolFault */
  atPath<Name extends MountName>(name: Name, request: MountRequest<Name>): Promise<MountReply<Name>>;
  /** The connection is gone. */
  end(): void;
}

/** Opens one for a connection, which may go on with another session than it has now. */
export type RuntimeHost = (session: () => LiveSession) => RuntimeChannel;

/** The frame that answers a request; total. */
export async function answerRuntime(
  channel: RuntimeChannel,
  asked: JsonObject,
  frame: AcheronEnvelope,
): Promise<object> {
  const reference = requestReferenceOf(frame);
  try {
    const request = runtimeRequestFrom(asked, reference);
    return runtimeReply(request, await channel.answer(request));
  } catch (thrown) {
    return acheronError(runtimeFault(thrown), reference);
  }
}
