import { hash as hashOf } from 'node:crypto';
import {
  canonicalJson,
  lastingDescriptor,
  ownValue,
  VOLATILE_FIELDS,
  type JsonObject,
  type JsonValue,
} from '../../core/index.js';
import { checkDescriptor, wrongDescriptor } from './check-descriptors.js';
import type { CatalogService } from './service-delta.js';

/** Stands for the node's own directory; no text of JSON has this character in it. */
const HERE = '\0';
/** A key with it: where it stands among the others, sorted, depends on the node's name. */
const HERE_IN_KEY = /\0(?:[^"\\]|\\.)*":/;

/** The value of a field of a descriptor: the same for all nodes, or a text of JSON with `HERE` in it. */
type FieldValue = { readonly shared: JsonValue } | { readonly text: string };

/**
 * What the descriptors of one service have in common on all nodes that offer it. A fleet offers the same few services many
 * times: what is in here is checked, parsed and kept once.
 */
class DescriptorTemplate {
  readonly serviceId: string;
  readonly version: string;
  /** Of its mounts, below the node's directory. */
  readonly paths: readonly string[];
  /** In their order, by the name that they had on the first node. */
  readonly fields: ReadonlyMap<string, FieldValue>;
  /** Of names with the node's directory in them, what stands around it. */
  readonly #names = new Map<string, readonly string[]>();
  /** What is hashed, in pieces between which the node's directory stands; once a second node has it. */
  #canonical: readonly string[] | undefined;
  #isNew = true;

  constructor(descriptor: JsonObject, paths: readonly string[], nodeId: string) {
    const here = directoryOf(nodeId);
    this.serviceId = descriptor['service_id'] as string;
    this.version = typeof descriptor['version'] === 'string' ? descriptor['version'] : '1';
    this.paths = paths.map((path) => path.slice(here.length));
    for (const name of Object.keys(descriptor))
      if (name.includes(here)) this.#names.set(name, name.split(here));
    this.fields = new Map(
      Object.entries(descriptor).map(([name, value]): [string, FieldValue] => {
        if (VOLATILE_FIELDS.has(name)) return [name, { shared: null }];
        const text = JSON.stringify(value).replaceAll(here, HERE);
        return [name, text.includes(HERE) ? { text } : { shared: value }];
      }),
    );
  }

  nameOf(name: string, nodeId: string): string {
    return this.#names.size === 0 ? name : (this.#names.get(name)?.join(directoryOf(nodeId)) ?? name);
  }

  hashFor(nodeId: string, descriptor: JsonObject): string {
    const here = directoryOf(nodeId);
    if (this.#canonical !== undefined) return sha256(this.#canonical.join(here));
    const text = canonicalJson(lastingDescriptor(descriptor));
    const isAlone = this.#isNew || HERE_IN_KEY.test(text.replaceAll(here, HERE));
    this.#isNew = false;
    if (!isAlone) this.#canonical = text.split(here);
    return sha256(text);
  }
}

/** A service of one node: the template of all, and what is its own. */
class TemplatedService implements CatalogService {
  readonly hash: string;
  readonly template: DescriptorTemplate;
  readonly #nodeId: string;
  /** In the order of the template's fields. */
  readonly #volatiles: readonly JsonValue[];

  constructor(template: DescriptorTemplate, nodeId: string, hash: string, descriptor: JsonObject) {
    this.template = template;
    this.#nodeId = nodeId;
    this.hash = hash;
    const volatiles: JsonValue[] = [];
    for (const [name, value] of Object.entries(descriptor))
      if (VOLATILE_FIELDS.has(name)) volatiles.push(value);
    this.#volatiles = volatiles.length === 0 ? NONE : volatiles;
  }

  get serviceId(): string {
    return this.template.serviceId;
  }

  get version(): string {
    return this.template.version;
  }

  get permissions(): JsonValue | undefined {
    const value = this.template.fields.get('permissions');
    return value === undefined ? undefined : this.#valueOf(value);
  }

  get descriptor(): JsonObject {
    let next = 0;
    return Object.fromEntries(
      [...this.template.fields].map(([name, value]): [string, JsonValue] => [
        this.template.nameOf(name, this.#nodeId),
        VOLATILE_FIELDS.has(name) ? (this.#volatiles[next++] as JsonValue) : this.#valueOf(value),
      ]),
    );
  }

  #valueOf(value: FieldValue): JsonValue {
    if ('shared' in value) return value.shared;
    return JSON.parse(value.text.replaceAll(HERE, directoryOf(this.#nodeId))) as JsonValue;
  }
}

const NONE: readonly JsonValue[] = [];

/** What a service says of who may use it. */
export function permissionsOf(service: CatalogService): JsonValue | undefined {
  return service instanceof TemplatedService
    ? service.permissions
    : ownValue(service.descriptor, 'permissions');
}

/** What a node offers, checked. */
export interface NodeCatalog {
  readonly services: ReadonlyMap<string, CatalogService>;
  /** The descriptors as JSON, by service. */
  readonly texts: ReadonlyMap<string, string>;
}

/** The templates of all services that a store knows. */
export class DescriptorTemplates {
  readonly #byDigest = new Map<string, WeakRef<DescriptorTemplate>>();
  readonly #gone = new FinalizationRegistry<string>((digest) => {
    if (this.#byDigest.get(digest)?.deref() === undefined) this.#byDigest.delete(digest);
  });

  /**
   * What a node says that it offers.
   * @throws FsError EINVAL, naming the service and the field.
   */
  catalogFrom(nodeId: string, descriptors: readonly JsonObject[]): NodeCatalog {
    const found = new Map<string, CatalogService>();
    const texts = new Map<string, string>();
    const roots = new Map<string, string>();
    for (const descriptor of descriptors) {
      const text = JSON.stringify(descriptor);
      const service = this.serviceFrom(nodeId, descriptor, { text });
      const { serviceId, template } = service;
      if (found.has(serviceId)) throw wrongDescriptor(serviceId, 'service_id', 'is there twice');
      for (const path of template.paths) {
        const other = roots.get(path) ?? serviceId;
        if (other !== serviceId)
          throw wrongDescriptor(
            serviceId,
            'mounts',
            `has the path ${directoryOf(nodeId)}${path} of "${other}"`,
          );
        roots.set(path, serviceId);
      }
      found.set(serviceId, service);
      texts.set(serviceId, text);
    }
    return { services: found, texts };
  }

  /** One service, as JSON in `text`; `hash` where it is known. @throws FsError EINVAL */
  serviceFrom(
    nodeId: string,
    descriptor: JsonObject,
    { text, hash }: { readonly text: string; readonly hash?: string },
  ): TemplatedService {
    const shape = shapeOf(descriptor);
    const common = shape === descriptor ? text : JSON.stringify(shape);
    const digest = sha256(common.replaceAll(directoryOf(nodeId), HERE));
    let template = this.#byDigest.get(digest)?.deref();
    if (template === undefined) {
      template = new DescriptorTemplate(descriptor, checkDescriptor(nodeId, descriptor), nodeId);
      this.#byDigest.set(digest, new WeakRef(template));
      this.#gone.register(template, digest);
    }
    return new TemplatedService(template, nodeId, hash ?? template.hashFor(nodeId, descriptor), descriptor);
  }
}

/** The descriptor without what is each node's own. */
function shapeOf(descriptor: JsonObject): JsonObject {
  const own = [...VOLATILE_FIELDS].filter((name) => Object.hasOwn(descriptor, name));
  if (own.length === 0) return descriptor;
  return { ...descriptor, ...Object.fromEntries(own.map((name) => [name, null])) };
}

function directoryOf(nodeId: string): string {
  return `/nodes/${nodeId}/`;
}

function sha256(text: string): string {
  return hashOf('sha256', text, 'hex');
}
