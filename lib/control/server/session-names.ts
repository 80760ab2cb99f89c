/** Sessions of one token that may be called something. */
const MAX_NAMES_OF_A_TOKEN = 256;

/** What clients call their sessions, by token: a name says nothing to others. Kept until the control plane starts anew. */
export class SessionNames {
  readonly #byToken = new Map<string, Map<string, string>>();

  /** The id of the session that is called so; else the text itself, which may be an id. */
  resolve(tokenId: string, text: string): string {
    return this.#byToken.get(tokenId)?.get(text) ?? text;
  }

  nameOf(tokenId: string, sessionId: string): string | null {
    for (const [name, id] of this.#byToken.get(tokenId) ?? []) if (id === sessionId) return name;
    return null;
  }

  /** The session is called so from now on; of too many names the oldest is forgotten. */
  call(tokenId: string, sessionId: string, name: string): void {
    const names = this.#byToken.get(tokenId) ?? new Map<string, string>();
    this.#byToken.set(tokenId, names);
    names.delete(name);
    names.set(name, sessionId);
    const [oldest] = names.keys();
    if (names.size > MAX_NAMES_OF_A_TOKEN && oldest !== undefined) names.delete(oldest);
  }

  /** The session is gone. */
  forget(tokenId: string, sessionId: string): void {
    const names = this.#byToken.get(tokenId);
    for (const [name, id] of names ?? []) if (id === sessionId) names?.delete(name);
    if (names?.size === 0) this.#byToken.delete(tokenId);
  }
}
