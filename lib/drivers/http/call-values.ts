import { FsError, isJsonObject, parseExactly, writtenNumber, type JsonValue } from '../../core/index.js';
import { templateFrom, type Placeholder, type Template } from '../../manifest/index.js';
import { payloadText, type Invocation } from '../contract.js';
import { jsonTextAt } from '../json-text.js';

/** What placeholders stand for in one call. */
export class CallValues {
  readonly #call: Invocation;
  #payload: string | undefined;
  #facts: string | undefined;
  #config: string | undefined;

  constructor(call: Invocation) {
    this.#call = call;
  }

  /** The exact JSON text of a value; undefined where there is none. */
  jsonOf({ source, path }: Placeholder): string | undefined {
    return jsonTextAt(this.#textOf(source), path);
  }

  /** The same, parsed. Numbers that no double holds are known by `scalarText`. */
  valueOf(placeholder: Placeholder): { readonly value: JsonValue; readonly json: string } | undefined {
    const json = this.jsonOf(placeholder);
    return json === undefined ? undefined : { value: parseExactly(json), json };
  }

  /**
   * Text with its placeholders replaced: strings as they are, everything else as JSON.
   * @throws FsError EINVAL where the request lacks a value
   */
  textOf(template: Template): string {
    return template
      .map((part) => {
        if (typeof part === 'string') return part;
        const json = this.needed(part);
        return json.startsWith('"') ? (JSON.parse(json) as string) : json;
      })
      .join('');
  }

  /** The JSON of a value that must be there and not be null. @throws FsError EINVAL */
  needed(placeholder: Placeholder): string {
    const json = this.jsonOf(placeholder);
    if (json === undefined || json === 'null') throw lacks(placeholder);
    return json;
  }

  /** The text of a field; undefined where it is a single placeholder without a value, and so to be left out. */
  fieldOf(text: string): string | undefined {
    const template = templateFrom(text);
    const [only] = template;
    if (template.length === 1 && typeof only === 'object') {
      const json = this.jsonOf(only);
      if (json === undefined || json === 'null') return undefined;
    }
    return this.textOf(template);
  }

  #textOf(source: Placeholder['source']): string {
    switch (source) {
      case 'payload':
        return (this.#payload ??= payloadText(this.#call));
      case 'call':
        return (this.#facts ??= JSON.stringify(factsOf(this.#call)));
      case 'config':
        return (this.#config ??= JSON.stringify(this.#call.config));
    }
  }
}

function factsOf({ id, nodeId, serviceId, deadlineMs, caller }: Invocation): Record<string, JsonValue> {
  return {
    node_id: nodeId,
    service_id: serviceId,
    invocation_id: id,
    deadline_ms: deadlineMs,
    role: caller.role,
    agent_id: caller.agentId,
    project_id: caller.projectId,
  };
}

export function lacks({ source, path, text }: Placeholder): FsError {
  const field = JSON.stringify(path.join('.'));
  if (source === 'payload')
    return new FsError('EINVAL', `The request has no ${field}, which the service's HTTP request needs.`, {
      hint: `Add ${field} to the request.`,
    });
  return new FsError('EINVAL', `There is no value for ${text}, which the service's HTTP request needs.`, {
    hint:
      source === 'config' ? `Add ${field} to config.json of the service.` : 'Leave it out of the manifest.',
  });
}

/** A string as it is, and everything else as JSON; what `container` has under `key`, for exact numbers. */
export function scalarText(value: JsonValue, container: unknown, key: string | number): string {
  if (typeof value === 'string') return value;
  return writtenNumber(container, key) ?? JSON.stringify(value);
}

/** The values of a list, or names and values of an object, as text. */
export function entriesOf(value: JsonValue): (readonly [string, string])[] | undefined {
  if (Array.isArray(value))
    return (value as readonly JsonValue[]).map((item, at) => [String(at), scalarText(item, value, at)]);
  if (!isJsonObject(value)) return undefined;
  return Object.entries(value).map(([name, item]) => [name, scalarText(item, value, name)]);
}
