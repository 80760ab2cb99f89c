/**
 * What travels between control plane, node and mount: envelopes, the messages as zod schemas, limits,
 * error frames and the binary codec. Nothing here opens a socket or keeps state; `{code, message}` exists
 * nowhere else, and decoding throws `ProtocolFault` alone.
 */
export * from './acheron/attributes.js';
export * from './acheron/binary-frame.js';
export { MAX_CATALOG_NODES } from './acheron/catalog-messages.js';
export * from './acheron/fs-messages.js';
export * from './acheron/runtime-messages.js';
export * from './acheron/session.js';
export * from './acheron/tunnel-events.js';
export { controlReference } from './control/control-reference.js';
export * from './control/index.js';
export * from './envelope.js';
export * from './error-frames.js';
export * from './family/debug-events.js';
export { supervisedService } from './family/control-replies.js';
export * from './family/mount-messages.js';
export * from './family/runtime-dialect.js';
export { NAMELESS_AGENT, serviceOfExport } from './family/words.js';
export { ControlDialect, type ControlTalk } from './family/control-dialect.js';
export { ownTypeOf } from './family/control-requests.js';
export { NodeDialect, type DialectEnds } from './family/node-dialect.js';
export {
  FilesDialect,
  asRefusedHello,
  helloAnswered,
  isFamilyHello,
  ownHello,
} from './family/files-dialect.js';
export { hasMoreMarks } from './json-marks.js';
export * from './limits.js';
export { PROTOCOL_CODES, errnoFromCode, type ProtocolCode } from './protocol-codes.js';
export * from './protocol-fault.js';
