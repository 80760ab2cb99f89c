import { isJsonObject, ownValue, type JsonObject, type JsonValue } from '../core/index.js';
import { objectOf, textOf, type OpenapiDocument } from './document.js';

/** What authorizes the requests of an operation. */
export interface ImportedAuth {
  /** `auth` of the manifest; undefined where none is needed, or none that we know. */
  readonly auth: JsonValue | undefined;
  /** Variables that must hold a secret. */
  readonly variables: readonly string[];
}

/** Takes the first of the alternatives that a manifest can say; one that asks for nothing is taken before all others. */
export function importSecurity(
  written: JsonValue | undefined,
  document: OpenapiDocument,
  prefix: string,
  notes: string[],
): ImportedAuth {
  const alternatives = document.list(written).filter(isJsonObject);
  if (alternatives.length === 0 || alternatives.some((one) => Object.keys(one).length === 0))
    return { auth: undefined, variables: [] };
  const schemes = objectOf(objectOf(document.root, 'components'), 'securitySchemes');
  for (const alternative of alternatives) {
    const all = Object.entries(alternative).map(([name, scopes]) =>
      authOf(name, document.object(ownValue(schemes, name)), document.list(scopes), prefix),
    );
    if (all.some((one) => one === undefined)) continue;
    const list = all as JsonObject[];
    const variables = list.flatMap((one) =>
      Object.entries(one).flatMap(([field, value]) => (field.endsWith('_env') ? [value as string] : [])),
    );
    return { auth: list.length === 1 ? list[0] : list, variables };
  }
  notes.push(`how it is authorized (${alternatives.map((one) => Object.keys(one).join('+')).join(', ')})`);
  return { auth: undefined, variables: [] };
}

function authOf(
  name: string,
  scheme: JsonObject,
  scopes: readonly JsonValue[],
  prefix: string,
): JsonObject | undefined {
  const variable = (what: string): string => variableOf(prefix, what);
  switch (scheme['type']) {
    case 'apiKey': {
      const place = textOf(scheme, 'in');
      const key = textOf(scheme, 'name');
      if (key === undefined || !['header', 'query', 'cookie'].includes(place ?? '')) return undefined;
      return { type: place ?? '', name: key, value_env: variable(name) };
    }
    case 'http': {
      const kind = textOf(scheme, 'scheme')?.toLowerCase();
      if (kind === 'bearer') return { type: 'bearer', token_env: variable(name) };
      if (kind !== 'basic') return undefined;
      return {
        type: 'basic',
        username_env: variable(`${name}_username`),
        password_env: variable(`${name}_password`),
      };
    }
    case 'oauth2': {
      const flow = objectOf(objectOf(scheme, 'flows'), 'clientCredentials');
      const url = textOf(flow, 'tokenUrl');
      if (url === undefined || !/^https?:\/\//.test(url))
        return { type: 'bearer', token_env: variable(name) };
      const scope = scopes.filter((one) => typeof one === 'string').join(' ');
      return {
        type: 'oauth2',
        token_url: url,
        client_id_env: variable(`${name}_client_id`),
        client_secret_env: variable(`${name}_client_secret`),
        ...(scope === '' ? {} : { scope }),
      };
    }
    case 'openIdConnect':
      return { type: 'bearer', token_env: variable(name) };
    default:
      return undefined;
  }
}

function variableOf(prefix: string, name: string): string {
  const text = `${prefix}_${name.replace(/([a-z0-9])([A-Z])/g, '$1_$2')}`
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return /^\d/.test(text) || text.startsWith('ACHERON_') ? `API_${text}` : text;
}
