import { FsError, isJsonObject, ownValue, type JsonObject } from '../core/index.js';
import { objectOf, textOf, type OpenapiDocument } from './document.js';

/** Where an operation is: origin and the path that comes before its own. @throws FsError EINVAL where none is named */
export function serverOf(
  holders: readonly JsonObject[],
  document: OpenapiDocument,
  { server, base }: { readonly server?: string; readonly base?: string },
): readonly [origin: string, path: string] {
  const written =
    server ??
    holders
      .flatMap((holder) => document.list(ownValue(holder, 'servers')).filter(isJsonObject).map(urlOf))
      .find((url) => url !== '') ??
    '/';
  const url = base !== undefined && URL.canParse(written, base) ? new URL(written, base) : parsed(written);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new FsError(
      'EINVAL',
      `The document does not say where its server is (${JSON.stringify(written)}).`,
      {
        hint: 'Name it by --server https://host/path.',
      },
    );
  return [url.origin, url.pathname.replace(/\/+$/, '')];
}

const parsed = (text: string): URL | null => (URL.canParse(text) ? new URL(text) : null);

/** With the defaults of its variables. */
function urlOf(server: JsonObject): string {
  const variables = objectOf(server, 'variables');
  return (textOf(server, 'url') ?? '').trim().replace(/\{([^{}]*)\}/g, (_all, name: string) => {
    const variable = objectOf(variables, name);
    const { default: value, enum: values } = variable;
    const [first] = Array.isArray(values) ? (values as readonly unknown[]) : [];
    return typeof value === 'string' ? value : typeof first === 'string' ? first : name;
  });
}
