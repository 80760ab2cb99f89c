import { hash as hashOf } from 'node:crypto';
import { ownValue, type JsonObject, type JsonValue } from '../../../core/index.js';
import type { ControlDatabase, Row } from '../database.js';

/** A text that a version refers to; `bytes` where it was not there before. */
export interface KeptText {
  readonly textId: number;
  readonly bytes: number;
}

/** No text of JSON has these characters in it. */
const DIRECTORY = '\u0001';
const NODE_ID = '\u0002';

/**
 * The descriptors of versions that no longer run, each once: what differs between nodes in their own name alone is one text.
 * Who keeps them says which are still referred to.
 */
export class VersionTexts {
  readonly #db: ControlDatabase;

  constructor(db: ControlDatabase) {
    this.#db = db;
  }

  /** Only inside a change. */
  keep(nodeId: string, descriptor: JsonObject): KeptText {
    const text = withoutNode(JSON.stringify(descriptor), nodeId);
    const digest = hashOf('sha256', text, 'buffer');
    const known = this.#db.get('SELECT text_id FROM version_texts WHERE digest = ?', digest);
    if (known !== undefined) return { textId: known['text_id'] as number, bytes: 0 };
    const permissions = ownValue(descriptor, 'permissions');
    this.#db.run(
      'INSERT INTO version_texts (digest, text, permissions) VALUES (?,?,?)',
      digest,
      text,
      permissions === undefined ? null : withoutNode(JSON.stringify(permissions), nodeId),
    );
    const { text_id: textId } = this.#db.require(
      'SELECT text_id FROM version_texts WHERE digest = ?',
      digest,
    );
    return { textId: textId as number, bytes: Buffer.byteLength(text) };
  }

  descriptorOf(nodeId: string, textId: number): JsonObject {
    const text = this.#row(textId, 'text')['text'] as string;
    return JSON.parse(withNode(text, nodeId)) as JsonObject;
  }

  permissionsOf(nodeId: string, textId: number): JsonValue | undefined {
    const text = this.#row(textId, 'permissions')['permissions'] as string | null;
    return text === null ? undefined : (JSON.parse(withNode(text, nodeId)) as JsonValue);
  }

  /** Nobody refers to it any more. Only inside a change. */
  forget(textId: number): void {
    this.#db.run('DELETE FROM version_texts WHERE text_id = ?', textId);
  }

  #row(textId: number, column: 'text' | 'permissions'): Row {
    return this.#db.require(`SELECT ${column} FROM version_texts WHERE text_id = ?`, textId);
  }
}

function withoutNode(text: string, nodeId: string): string {
  return text.replaceAll(`/nodes/${nodeId}/`, DIRECTORY).replaceAll(idMember(nodeId), NODE_ID);
}

function withNode(text: string, nodeId: string): string {
  return text.replaceAll(NODE_ID, idMember(nodeId)).replaceAll(DIRECTORY, `/nodes/${nodeId}/`);
}

function idMember(nodeId: string): string {
  return `"node_id":"${nodeId}"`;
}
