/**
 * Where a program of that name may be, in the order in which `searchPath` (a PATH) is searched. Folders that are
 * not named from the root are left out: what stands in a working directory is never taken for a program.
 */
export function placesOnPath(program: string, searchPath: string): string[] {
  return searchPath
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => (folder.endsWith('/') ? `${folder}${program}` : `${folder}/${program}`));
}
