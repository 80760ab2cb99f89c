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

/** Makes what services are searched by, so that the first key of a search need not. */
export function prepareSearch({ nodes }: CatalogView): void {
  for (const { services } of nodes) services.forEach(textOf);
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

/** What a filter found, from which a narrower one can go on. */
export interface Found {
  readonly rows: readonly Row[];
  readonly services: number;
  readonly view: CatalogView;
  readonly filter: Filter;
}

/** Each node with something to show, then that; without a filter, also nodes that have nothing. */
export function rowsOf(view: CatalogView, filter: Filter, before?: Found): Found {
  const tests = filter.words.toLowerCase().split(/\s+/).filter(Boolean).map(testFrom);
  if (filter.state !== '') tests.push((service) => service.state === filter.state);
  const rows: Row[] = [];
  let count = 0;
  for (const [node, services] of candidates(view, filter, before)) {
    const shown =
      tests.length === 0
        ? services
        : services.filter((service) => tests.every((test) => test(service, node)));
    if (shown.length === 0 && tests.length > 0) continue;
    rows.push({ kind: 'node', node, shown: shown.length });
    for (const service of shown) rows.push({ kind: 'service', service });
    count += shown.length;
  }
  return { rows, services: count, view, filter };
}

/** Who types on narrows what was found: only that need be looked at. */
function candidates(
  view: CatalogView,
  { words, state }: Filter,
  before: Found | undefined,
): Iterable<readonly [NodeEntry, readonly ServiceLine[]]> {
  const isNarrower =
    before?.view === view &&
    before.filter.state === state &&
    words.startsWith(before.filter.words) &&
    // With a colon a word becomes a field, which may find what the word did not.
    !words.slice(before.filter.words.length).includes(':');
  if (!isNarrower) return view.nodes.map((node) => [node, node.services] as const);
  const found: [NodeEntry, ServiceLine[]][] = [];
  for (const row of before.rows)
    if (row.kind === 'node') found.push([row.node, []]);
    else found.at(-1)?.[1].push(row.service);
  return found;
}
