import { join } from 'node:path';
import t from 'tap';
import type { Finding } from '../../lib/doctor/index.js';
import { acheron } from '../support/acheron.js';
import { noPostgres, PostgresServer } from '../support/postgres.js';
import { temporaryDir } from '../support/test-node.js';

t.test(
  'doctor says whether PostgreSQL can be used as a store, and changes nothing in it',
  { skip: noPostgres },
  async (t) => {
    const server = await PostgresServer.primary(t);
    const state = join(temporaryDir(t), 'state');
    const look = async (store: string): Promise<Finding | undefined> => {
      const { stdout, stderr } = await acheron(['doctor', '--json', '--state-dir', state, '--store', store]);
      t.equal(stderr, '');
      return (JSON.parse(stdout) as Finding[]).find(({ check }) => check === 'store');
    };
    const url = PostgresServer.url(server);
    t.match(await look(url), { state: 'fine', what: /The store .* can be used/ });
    const made = `SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'`;
    t.same(await server.query(made, 'acheron'), [], 'a database that was empty is empty');
    await server.query('CREATE ROLE guest LOGIN');
    t.match(await look(url.replace('acheron@', 'guest@')), {
      state: 'broken',
      what: /cannot be used: .*may not make/,
      remedy: /GRANT CREATE/,
    });
    t.match(await look(url.replace(/acheron$/, 'other')), {
      state: 'broken',
      what: /cannot be used: .*other/,
      remedy: /./,
    });
    await server.query('CREATE SCHEMA acheron', 'acheron');
    await server.query('CREATE TABLE acheron.head (format int, log_id text)', 'acheron');
    await server.query("INSERT INTO acheron.head VALUES (99, 'later')", 'acheron');
    t.match(await look(url), {
      state: 'broken',
      what: /has format 99; this release reads up to/,
      remedy: /later release/,
    });
    await server.query('UPDATE acheron.head SET format = 1', 'acheron');
    t.match(await look(url), { state: 'fine' }, 'tables that are there');
    await server.kill();
    t.match(await look(url), { state: 'broken', what: /cannot be used/, remedy: /PostgreSQL/ });
  },
);
