import {
  acheronError,
  LAYOUT,
  ProtocolFault,
  requestReferenceOf,
  type AcheronEnvelope,
} from '../../protocol/index.js';

const ANSWERED_MSIZE = 1024 * 1024;

/**
 * What the runtime channel is answered on the control socket: that it is there, and that the files are
 * on `/v2/fs`. Peers of the family probe for it.
 */
export function answerAcheron(frame: AcheronEnvelope, connected: boolean): AcheronEnvelope {
  const reply = {
    channel: 'acheron',
    ...(frame.tag === undefined ? {} : { tag: frame.tag }),
    ok: true,
  } as const;
  if (!connected) {
    return acheronError(
      new ProtocolFault('handshake_required', 'Send control.connect first.'),
      requestReferenceOf(frame),
    );
  }
  switch (frame.type) {
    case 'acheron.t_version': {
      const msize = Math.min(frame.msize ?? ANSWERED_MSIZE, ANSWERED_MSIZE);
      const facts = { msize, version: 'acheron-1' };
      return { ...reply, type: 'acheron.r_version', ...facts, payload: facts };
    }
    case 'acheron.t_attach':
      return {
        ...reply,
        type: 'acheron.r_attach',
        payload: { layout: LAYOUT, roots: ['/nodes', '/projects'], qid: { path: 1, type: 'dir' } },
      };
    default:
      return acheronError(
        new ProtocolFault('unsupported_type', `${frame.type} is not served here; files are on /v2/fs.`),
        requestReferenceOf(frame),
      );
  }
}
