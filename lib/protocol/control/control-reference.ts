import * as z from 'zod';
import { CONTROL_EVENTS, CONTROL_MESSAGES } from './index.js';
import type { ControlMessage } from './shapes.js';

const SENDERS = new Map<string, string>([
  ['anyone', 'anyone'],
  ['connected', 'a connection with a token or of a node'],
  ['session', 'a session'],
  ['admin', 'an admin'],
  ['node', 'a node, by its secret'],
]);

/** The reference of the control channel, as `docs/PROTOCOL.md` shows it: made from the schemas. */
export function controlReference(): string {
  const requests = Object.entries(CONTROL_MESSAGES).map(([name, message]) => requestSection(name, message));
  const events = Object.entries(CONTROL_EVENTS).map(
    ([name, { about, payload }]) =>
      `### \`control.${name}\` (pushed)\n\n${sentence(about)}\n\n${table('Payload', payload)}`,
  );
  return `${[...requests, ...events].join('\n\n')}\n`;
}

function requestSection(name: string, message: ControlMessage): string {
  const { about, sender, request, reply, replyType } = message;
  const answer = replyType === undefined ? '' : ` Answered by \`${replyType}\`.`;
  return [
    `### \`control.${name}\``,
    `${sentence(about)} Sent by ${SENDERS.get(sender) ?? sender}.${answer}`,
    table('Request', request),
    table('Reply', reply),
  ].join('\n\n');
}

function sentence(about: string): string {
  return `${about.charAt(0).toUpperCase()}${about.slice(1)}.`;
}

interface Shape {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
}

/** The fields of an object, one a line: name, type, `?` where it may be left out. */
function table(title: string, schema: z.ZodType): string {
  const shape = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as Shape;
  const fields = Object.entries(shape.properties ?? {});
  if (fields.length === 0)
    return `${title}: ${shape.additionalProperties === undefined ? 'nothing' : 'an object'}.`;
  const required = new Set(shape.required ?? []);
  const rows = fields.map(
    ([name, field]) => `| \`${name}\`${required.has(name) ? '' : ' ?'} | ${textOf(field)} |`,
  );
  return `| ${title} | |\n|---|---|\n${rows.join('\n')}`;
}

function textOf(shape: Shape): string {
  if (shape.anyOf !== undefined) return shape.anyOf.map(textOf).join(' or ');
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(' or ');
  if (shape.const !== undefined) return `\`${JSON.stringify(shape.const)}\``;
  if (shape.type === 'array')
    return `list of ${shape.items === undefined ? 'anything' : textOf(shape.items)}`;
  if (shape.properties !== undefined) {
    const names = Object.keys(shape.properties).map((name) => `\`${name}\``);
    return `{ ${names.join(', ')} }`;
  }
  if (typeof shape.type === 'string') return shape.type;
  return shape.type === undefined ? 'object' : shape.type.join(' or ');
}
