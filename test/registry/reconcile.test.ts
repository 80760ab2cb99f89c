import fc from '../support/properties.js';
import t from 'tap';
import type { ServiceId } from '../../lib/core/index.js';
import { readManifest, type ServiceDefinition } from '../../lib/manifest/index.js';
import { reconcile, resolveClaims, type Candidate } from '../../lib/registry/index.js';

const made = new Map<string, ServiceDefinition>();

/** A definition of a service with one root, read from a manifest; equal arguments give one object. */
function define(serviceId: string, root: string, version: string, source = 's'): ServiceDefinition {
  const key = JSON.stringify([serviceId, root, version, source]);
  const known = made.get(key);
  if (known !== undefined) return known;
  const text = JSON.stringify({
    service_id: serviceId,
    kind: 'k',
    version,
    mounts: [{ mount_path: `/nodes/n/${root}` }],
  });
  const { definition } = readManifest(text, { file: source, nodeId: 'n' });
  made.set(key, definition!);
  return definition!;
}

const ids = fc.constantFrom('a', 'b', 'c', 'd');
const roots = fc.constantFrom('a', 'b', 'a/x', 'a/control', 'a/jobs/y', 'b/x/y');
const versions = fc.constantFrom('1', '2');
const anyDefinition = fc.tuple(ids, roots, versions).map(([id, root, version]) => define(id, root, version));
const anySet = fc.uniqueArray(anyDefinition, { selector: (definition) => definition.serviceId });

t.test(
  'reconcile turns the current set into the desired one, and touches nothing that is equal',
  async (t) => {
    fc.assert(
      fc.property(anySet, anySet, (desired, present) => {
        const current = new Map(present.map((definition) => [definition.serviceId, definition]));
        const actions = reconcile(desired, current);
        const result = new Map<ServiceId, ServiceDefinition>(current);
        const named: ServiceId[] = [];
        for (const action of actions) {
          if (action.type === 'update') {
            t.equal(current.get(action.before.serviceId), action.before);
            t.not(action.before.digest, action.after.digest);
            result.set(action.after.serviceId, action.after);
            named.push(action.after.serviceId);
            continue;
          }
          const { definition } = action;
          named.push(definition.serviceId);
          t.equal(current.has(definition.serviceId), action.type !== 'add');
          if (action.type === 'add') result.set(definition.serviceId, definition);
          if (action.type === 'remove') result.delete(definition.serviceId);
          if (action.type === 'keep') t.equal(current.get(definition.serviceId), definition);
        }
        t.equal(new Set(named).size, named.length, 'one action for each service');
        const digests = (all: Iterable<ServiceDefinition>) => [...all].map(({ digest }) => digest).sort();
        t.same(digests(result.values()), digests(desired));
        const again = reconcile(desired, result);
        t.ok(
          again.every((action) => action.type === 'keep'),
          'a second time there is nothing to do',
        );
      }),
      { numRuns: 200 },
    );
  },
);

/** Rounds of what a handful of sources say, one after the other, each accepted before the next. */
const anyRounds = fc.array(
  fc.array(fc.option(fc.tuple(ids, roots, versions)), { minLength: 4, maxLength: 4 }),
  { minLength: 1, maxLength: 4 },
);

t.test(
  'whatever sources ask for, no two services share an id or a root, and nobody loses what he holds',
  async (t) => {
    fc.assert(
      fc.property(anyRounds, (rounds) => {
        let held = new Map<string, ServiceDefinition>();
        for (const round of rounds) {
          const candidates = round.map((wish, index): Candidate => {
            const source = `file${index}`;
            const wanted = wish === null ? undefined : define(...wish, source);
            return { source, wanted, held: held.get(source) };
          });
          const { chosen, refusals } = resolveClaims(candidates);
          const ids = [...chosen.values()].map((definition) => definition.serviceId);
          t.equal(new Set(ids).size, ids.length, 'ids are unique');
          const paths = [...chosen.values()].flatMap(({ mounts }) => mounts.map((mount) => mount.mountPath));
          t.equal(new Set(paths).size, paths.length, 'roots are unique');
          t.notOk(
            paths.includes('/nodes/n/a') && paths.some((path) => /^\/nodes\/n\/a\/(control|jobs)/.test(path)),
          );
          for (const { source, wanted, held: before } of candidates) {
            const now = chosen.get(source);
            t.ok(now === wanted || now === before, 'a source gives what it says, or what it gave');
            if (before !== undefined) t.not(now, undefined, 'who had a service has one');
            if (wanted !== undefined && now !== wanted)
              t.ok(refusals.some((refusal) => refusal.source === source && refusal.against !== source));
          }
          held = new Map(chosen);
        }
      }),
      { numRuns: 300 },
    );
  },
);

t.test('where nobody was there, the earlier source gets the name', async (t) => {
  const candidates = ['one', 'two'].map((source) => ({
    source,
    wanted: define('a', source === 'one' ? 'a' : 'b', '1', source),
    held: undefined,
  }));
  const { chosen, refusals } = resolveClaims(candidates);
  t.same([...chosen.keys()], ['one']);
  t.match(refusals, [{ source: 'two', against: 'one', claim: 'service_id' }]);
});
