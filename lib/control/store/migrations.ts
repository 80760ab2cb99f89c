/**
 * The database, one step per format: step N turns format N into N + 1 and is never edited once released.
 * `format` is SQLite's user_version; application_id holds the release that can read it.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

  CREATE TABLE tokens (
    token_id TEXT PRIMARY KEY, hash BLOB NOT NULL, role TEXT NOT NULL, agent_id TEXT, projects TEXT,
    label TEXT, file TEXT, created_at_ms INTEGER NOT NULL, rotated_at_ms INTEGER, revoked_at_ms INTEGER
  ) STRICT;

  CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY, token_id TEXT NOT NULL, token_hash BLOB NOT NULL, project_id TEXT,
    project_proof BLOB, created_at_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL, closed_at_ms INTEGER
  ) STRICT;
  CREATE INDEX sessions_by_token ON sessions (token_id);

  CREATE TABLE projects (
    project_id TEXT PRIMARY KEY, name TEXT, description TEXT, nodes TEXT NOT NULL, access_policy TEXT,
    token_hash BLOB, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE nodes (
    node_id TEXT PRIMARY KEY, node_name TEXT, secret_hash BLOB, lease_hash BLOB, lease_expires_at_ms INTEGER,
    lease_ttl_ms INTEGER, epoch INTEGER NOT NULL, online INTEGER NOT NULL, platform TEXT NOT NULL,
    labels TEXT NOT NULL, fs_url TEXT, reload TEXT, successor TEXT, joined_at_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL, catalog_revision INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE services (
    node_id TEXT NOT NULL REFERENCES nodes (node_id) ON DELETE CASCADE, service_id TEXT NOT NULL,
    version TEXT NOT NULL, hash TEXT NOT NULL, descriptor TEXT NOT NULL,
    PRIMARY KEY (node_id, service_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE invites (
    invite_id TEXT PRIMARY KEY, hash BLOB NOT NULL, prefix TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL, used_by TEXT
  ) STRICT;

  CREATE TABLE join_requests (
    request_id TEXT PRIMARY KEY, secret_hash BLOB NOT NULL, code TEXT NOT NULL, node_name TEXT NOT NULL,
    platform TEXT NOT NULL, labels TEXT NOT NULL, fs_url TEXT, address TEXT NOT NULL, state TEXT NOT NULL,
    lease_ttl_ms INTEGER, created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE events (
    revision INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL, kind TEXT NOT NULL, node_id TEXT,
    payload TEXT NOT NULL
  ) STRICT;

  CREATE TABLE views (
    view_id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, visible TEXT NOT NULL, last_used_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE view_events (
    view_id INTEGER NOT NULL REFERENCES views (view_id) ON DELETE CASCADE, seq INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL, kind TEXT NOT NULL, node_id TEXT NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (view_id, seq)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, record_id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, record TEXT NOT NULL, UNIQUE (origin, record_id)
  ) STRICT;
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  `,
  // Whose each audit record is, and a way out for what is too old or too much.
  `
  CREATE TABLE audit_owners (
    origin TEXT NOT NULL, owner TEXT NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (origin, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_sweep (
    origin TEXT NOT NULL, owner TEXT NOT NULL, until_id INTEGER NOT NULL, PRIMARY KEY (origin, owner)
  ) STRICT, WITHOUT ROWID;
  DROP TRIGGER audit_no_update;
  DROP TRIGGER audit_no_delete;
  ALTER TABLE audit ADD COLUMN owner TEXT NOT NULL DEFAULT '';
  ALTER TABLE audit ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE audit SET bytes = LENGTH(CAST(record AS BLOB)) + 128,
    owner = json_array(record ->> '$.role', record ->> '$.agent_id', record ->> '$.project_id',
      json(CASE record ->> '$.outcome' WHEN 'denied' THEN 'true' ELSE 'false' END));
  INSERT INTO audit_owners SELECT origin, owner, COUNT(*), SUM(bytes) FROM audit GROUP BY origin, owner;
  CREATE INDEX audit_by_owner ON audit (origin, owner);
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN NOT EXISTS (
    SELECT 1 FROM audit_sweep WHERE origin = OLD.origin AND owner = OLD.owner AND until_id >= OLD.audit_id
  ) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
  `,
  // Whose each event is, and how large, so that nobody's push out those of others.
  ['events', 'view_events']
    .map(
      (table) => `
  ALTER TABLE ${table} ADD COLUMN owner TEXT NOT NULL DEFAULT '';
  ALTER TABLE ${table} ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE ${table} SET bytes = LENGTH(CAST(payload AS BLOB)) + 128, owner = CASE
    WHEN kind IN ('service_health', 'service_control', 'invocation_finished') THEN json_array(node_id, kind,
      payload ->> '$.by.role', payload ->> '$.by.agent_id', payload ->> '$.by.project_id')
    ELSE json_array(node_id, NULL, NULL, NULL, NULL) END;
  `,
    )
    .join('') +
    `
  CREATE INDEX events_by_owner ON events (owner, revision, bytes);
  CREATE INDEX view_events_by_owner ON view_events (view_id, owner, seq, bytes);
  `,
  // Sessions with a secret of their own, and less power than their token.
  `
  ALTER TABLE sessions ADD COLUMN secret_hash BLOB;
  ALTER TABLE sessions ADD COLUMN max_role TEXT;
  `,
  // What services were. Of a version that runs, the table services has the text.
  `
  CREATE TABLE version_texts (
    text_id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, text TEXT NOT NULL, permissions TEXT
  ) STRICT;
  CREATE TABLE service_changes (
    node_id TEXT NOT NULL, service_id TEXT NOT NULL, revision INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL,
    change INTEGER NOT NULL, version TEXT, hash BLOB, fields TEXT, source TEXT, text_id INTEGER,
    bytes INTEGER NOT NULL, text_bytes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (node_id, service_id, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX service_changes_by_revision ON service_changes (revision);
  CREATE INDEX service_changes_by_text ON service_changes (text_id) WHERE text_id IS NOT NULL;
  INSERT INTO service_changes (node_id, service_id, revision, timestamp_ms, change, version, hash, bytes)
    SELECT node_id, service_id, catalog_revision, joined_at_ms, 0, version, unhex(hash), 0
    FROM services JOIN nodes USING (node_id);
  `,
  // What nodes said of their reloads of manifests.
  `
  CREATE TABLE reload_reports (
    report_order INTEGER PRIMARY KEY AUTOINCREMENT, node_id TEXT NOT NULL, n INTEGER NOT NULL, report_id TEXT NOT NULL,
    timestamp_ms INTEGER NOT NULL, report TEXT NOT NULL, bytes INTEGER NOT NULL,
    UNIQUE (node_id, n), UNIQUE (node_id, report_id)
  ) STRICT;
  `,
  // Of several control planes over one log, the one that the node is connected to.
  `
  ALTER TABLE nodes ADD COLUMN replica TEXT;
  `,
  // What projects are for, and what they mount where.
  `
  ALTER TABLE projects ADD COLUMN vision TEXT;
  ALTER TABLE projects ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
  ALTER TABLE projects ADD COLUMN kind TEXT NOT NULL DEFAULT 'normal';
  ALTER TABLE projects ADD COLUMN delete_protected INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE projects ADD COLUMN mounts TEXT NOT NULL DEFAULT '[]';
  `,
  // What clients call their sessions, and codes that open a console.
  `
  ALTER TABLE sessions ADD COLUMN name TEXT;
  CREATE UNIQUE INDEX sessions_by_name ON sessions (token_id, name) WHERE name IS NOT NULL;
  CREATE TABLE console_links (
    hash TEXT PRIMARY KEY, token_id TEXT NOT NULL, session_id TEXT, max_role TEXT NOT NULL, expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // Of several control planes over one log, the one that uses a session.
  `
  ALTER TABLE sessions ADD COLUMN replica TEXT;
  `,
];

/** The newest format that this release reads and the one it writes. */
export const FORMAT = MIGRATIONS.length;

/** The earliest release that reads FORMAT: major × 1,000,000 + minor × 1,000 + patch. */
export const VERSION_NUMBER = 1_000;

export function versionFromNumber(number: number): string {
  return `${Math.floor(number / 1_000_000)}.${Math.floor(number / 1_000) % 1_000}.${number % 1_000}`;
}
