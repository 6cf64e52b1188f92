-- SPDX-License-Identifier: Apache-2.0
--
-- A database as Kinto 26.5 leaves it: its tables, indexes and trigger (storage
-- schema 26, permissions 2) in our words, and rows as it wrote them when asked
-- for a bucket, a group, four collections of which one was deleted, and records
-- of all kinds, some with timestamps of clients, one deleted.
--
-- Loaded by tests/conformance/postgresql.sh; cliquet must serve it unchanged.

SET client_min_messages TO warning;

CREATE FUNCTION as_epoch(ts TIMESTAMP) RETURNS BIGINT
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN (extract(epoch FROM ts) * 1000)::BIGINT;
END $$;

CREATE FUNCTION from_epoch(epoch BIGINT) RETURNS TIMESTAMP
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN TIMESTAMPTZ 'epoch' + epoch * INTERVAL '1 millisecond';
END $$;

CREATE TABLE objects (
  id TEXT COLLATE "C" NOT NULL,
  parent_id TEXT COLLATE "C" NOT NULL,
  resource_name TEXT COLLATE "C" NOT NULL,
  last_modified TIMESTAMP NOT NULL,
  data JSONB NOT NULL DEFAULT '{}'::JSONB,
  deleted BOOLEAN NOT NULL,
  PRIMARY KEY (id, parent_id, resource_name));
CREATE UNIQUE INDEX idx_objects_parent_id_resource_name_last_modified
  ON objects (parent_id, resource_name, last_modified DESC);
CREATE INDEX idx_objects_last_modified_epoch
  ON objects (as_epoch(last_modified));
CREATE INDEX idx_objects_resource_name_parent_id_deleted
  ON objects (resource_name, parent_id, deleted);
CREATE INDEX idx_objects_parent_id_record_last_modified
  ON objects (parent_id, last_modified DESC)
  WHERE resource_name = 'record';
CREATE INDEX idx_objects_history_userid_and_resourcename
  ON objects ((data->'user_id'), (data->'resource_name'))
  WHERE resource_name = 'history';

CREATE TABLE timestamps (
  parent_id TEXT COLLATE "C" NOT NULL,
  resource_name TEXT COLLATE "C" NOT NULL,
  last_modified TIMESTAMP NOT NULL,
  PRIMARY KEY (parent_id, resource_name));

CREATE TABLE metadata (
  name VARCHAR(128) NOT NULL,
  value VARCHAR(512) NOT NULL);

CREATE TABLE user_principals (
  user_id TEXT COLLATE "C",
  principal TEXT,
  PRIMARY KEY (user_id, principal));

CREATE TABLE access_control_entries (
  object_id TEXT COLLATE "C",
  permission TEXT,
  principal TEXT,
  PRIMARY KEY (object_id, permission, principal));
CREATE INDEX idx_access_control_entries_object_id
  ON access_control_entries (object_id);
CREATE INDEX idx_access_control_entries_permission
  ON access_control_entries (permission);
CREATE INDEX idx_access_control_entries_principal
  ON access_control_entries (principal);

INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog', 'read', 'system.Everyone');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog', 'write', 'basicauth:741990a963a80c63909bfb68ab5e86ed40af0662b5fd4013398e105e6d5fba94');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/groups/writers', 'write', 'basicauth:741990a963a80c63909bfb68ab5e86ed40af0662b5fd4013398e105e6d5fba94');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles', 'write', '/buckets/blog/groups/writers');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles', 'write', 'basicauth:741990a963a80c63909bfb68ab5e86ed40af0662b5fd4013398e105e6d5fba94');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/empty', 'write', 'basicauth:741990a963a80c63909bfb68ab5e86ed40af0662b5fd4013398e105e6d5fba94');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/r1', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/r2', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/r3', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/r4', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/r5', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/past', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/future', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO access_control_entries
  (object_id, permission, principal)
  VALUES ('/buckets/blog/collections/articles/records/after', 'write', 'basicauth:e171cd19b9b118f56529c1283c5afb68bdcf4edcae7e7acd28bf0b38c33db5df');
INSERT INTO metadata
  (name, value)
  VALUES ('created_at', '2026-11-24 06:19:43.981007+00');
INSERT INTO metadata (name, value) VALUES ('storage_schema_version', '26');
INSERT INTO metadata (name, value) VALUES ('permission_schema_version', '2');
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('blog', '', 'bucket', '2026-11-24 06:19:44.039', '{"title": "Blog"}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('writers', '/buckets/blog', 'group', '2026-11-24 06:19:44.053', '{"members": ["basicauth:bob", "system.Authenticated"]}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('articles', '/buckets/blog', 'collection', '2026-11-24 06:19:44.063', '{"schema": {"type": "object"}}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('empty', '/buckets/blog', 'collection', '2026-11-24 06:19:44.078', '{}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r1', '/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.099', '{"n": 12345678901234567890, "x": 0.1}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r2', '/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.104', '{"l": [1, "a", null, {"k": []}], "n": 1.5}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r3', '/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.11', '{"a": {"b": 2}, "e": [], "o": {}, "a.b": 1}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r4', '/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.118', '{"s": "quote \" and \\ and / 𝄞"}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r5', '/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.124', '{"u": null, "v": true}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('past', '/buckets/blog/collections/articles', 'record', '2017-07-14 02:40:00', '{}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('future', '/buckets/blog/collections/articles', 'record', '2100-01-01 00:00:00.123', '{"f": 1}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('after', '/buckets/blog/collections/articles', 'record', '2100-01-01 00:00:00.124', '{"f": 2}', false);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('r0', '/buckets/blog/collections/articles', 'record', '2100-01-01 00:00:00.125', '{"deleted": true}', true);
INSERT INTO objects
  (id, parent_id, resource_name, last_modified, data, deleted)
  VALUES ('gone', '/buckets/blog', 'collection', '2026-11-24 06:19:44.163', '{"deleted": true}', true);
INSERT INTO timestamps
  (parent_id, resource_name, last_modified)
  VALUES ('', 'bucket', '2026-11-24 06:19:44.034212');
INSERT INTO timestamps
  (parent_id, resource_name, last_modified)
  VALUES ('/buckets/blog', 'group', '2026-11-24 06:19:44.050602');
INSERT INTO timestamps
  (parent_id, resource_name, last_modified)
  VALUES ('/buckets/blog', 'collection', '2026-11-24 06:19:44.058585');
INSERT INTO timestamps
  (parent_id, resource_name, last_modified)
  VALUES ('/buckets/blog/collections/empty', 'record', '2026-11-24 06:19:44.083399');
INSERT INTO timestamps
  (parent_id, resource_name, last_modified)
  VALUES ('/buckets/blog/collections/articles', 'record', '2026-11-24 06:19:44.087787');
INSERT INTO user_principals
  (user_id, principal)
  VALUES ('system.Authenticated', '/buckets/blog/groups/writers');
INSERT INTO user_principals
  (user_id, principal)
  VALUES ('basicauth:bob', '/buckets/blog/groups/writers');

-- Kinto's rule: a row without a timestamp, or with the newest one of its list,
-- gets the time or the millisecond after the newest.
CREATE FUNCTION bump_timestamp() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  newest BIGINT;
  next BIGINT;
BEGIN
  SELECT as_epoch(max(both_.last_modified)) INTO newest FROM (
    (SELECT o.last_modified FROM objects AS o
      WHERE o.parent_id = NEW.parent_id
        AND o.resource_name = NEW.resource_name
      ORDER BY o.last_modified DESC LIMIT 1)
    UNION
    (SELECT t.last_modified FROM timestamps AS t
      WHERE t.parent_id = NEW.parent_id
        AND t.resource_name = NEW.resource_name)) AS both_;
  next := as_epoch(clock_timestamp()::TIMESTAMP);
  IF newest >= next THEN
    next := newest + 1;
  END IF;
  IF NEW.last_modified IS NULL OR as_epoch(NEW.last_modified) = newest THEN
    NEW.last_modified := from_epoch(next);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tgr_objects_last_modified
  BEFORE INSERT OR UPDATE OF data ON objects
  FOR EACH ROW EXECUTE PROCEDURE bump_timestamp();
