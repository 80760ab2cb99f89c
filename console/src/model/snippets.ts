/** The same call for a shell, Python and Node, to copy. Paths are those of a mount on ./mnt. */
export function snippetsOf(nodeId: string, serviceId: string, request: string): [string, string][] {
  const compact = compactOf(request);
  const path = `mnt/nodes/${nodeId}/services/${serviceId}/control/invoke.json`;
  const text = JSON.stringify(compact);
  return [
    [
      'Shell',
      `acheron invoke ${nodeId}/${serviceId} ${quoted(compact)}\n\n# in a mount:\necho ${quoted(compact)} > ${path}`,
    ],
    [
      'Python',
      `import json, os\n\nfd = os.open("${path}", os.O_RDWR)\nos.write(fd, ${text}.encode())  # fails as the call does\nwith os.fdopen(fd) as call:\n    print(json.load(call))`,
    ],
    [
      'Node',
      `import { open } from 'node:fs/promises';\n\nconst call = await open('${path}', 'r+');\nawait call.write(${text}); // fails as the call does\nconsole.log(JSON.parse(await call.readFile('utf8')));\nawait call.close();`,
    ],
  ];
}

function compactOf(request: string): string {
  try {
    return JSON.stringify(JSON.parse(request));
  } catch {
    return request;
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
