import type { CatalogView, NodeEntry, ServiceLine } from './catalog.js';

export type Row =
  | { readonly kind: 'node'; readonly node: NodeEntry; readonly shown: number }
  | { readonly kind: 'service'; readonly service: ServiceLine };

export interface Filter {
  /** Words that must all be found; `node:`, `kind:`, `state:` and `label:` look at these alone. */
  readonly words: string;
  /** Empty: any. */
  readonly state: string;
}

const texts = new WeakMap<ServiceLine, string>();

/** What a service is searched by. */
function textOf(service: ServiceLine): string {
  let text = texts.get(service);
  if (text === undefined) {
    const { node_id, service_id, kind, summary } = service;
    text = `${node_id}/${service_id} ${kind} ${summary}`.toLowerCase();
    texts.set(service, text);
  }
  return text;
}

type Test = (service: ServiceLine, node: NodeEntry) => boolean;

function testFrom(word: string): Test {
  const [, field, value = ''] = /^(node|kind|state|label):(.*)$/.exec(word) ?? [];
  switch (field) {
    case 'node':
      return ({ node_id }) => node_id.toLowerCase().includes(value);
    case 'kind':
      return ({ kind }) => kind.toLowerCase().includes(value);
    case 'state':
      return ({ state }) => state.startsWith(value);
    case 'label':
      return ({ labels }, { facts }) => labelsOf(labels, facts.labels).some((label) => label.includes(value));
    default:
      return (service) => textOf(service).includes(word);
  }
}

/** `key=value` of a service and of its node. */
export function labelsOf(...sources: readonly unknown[]): string[] {
  return sources.flatMap((labels) =>
    labels === null || typeof labels !== 'object'
      ? []
      : Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`.toLowerCase()),
  );
}

/** Each node with something to show, then that; without a filter, also nodes that have nothing. */
export function rowsOf({ nodes }: CatalogView, { words, state }: Filter): { rows: Row[]; services: number } {
  const tests = words.toLowerCase().split(/\s+/).filter(Boolean).map(testFrom);
  if (state !== '') tests.push((service) => service.state === state);
  const rows: Row[] = [];
  let count = 0;
  for (const node of nodes) {
    const shown =
      tests.length === 0
        ? node.services
        : node.services.filter((service) => tests.every((test) => test(service, node)));
    if (shown.length === 0 && tests.length > 0) continue;
    rows.push({ kind: 'node', node, shown: shown.length });
    for (const service of shown) rows.push({ kind: 'service', service });
    count += shown.length;
  }
  return { rows, services: count };
}
