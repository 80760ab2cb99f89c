/** The least that a driver of type `module` can be. */
export async function invoke(payload: unknown): Promise<unknown> {
  return payload;
}
