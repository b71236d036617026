-- Where a session began: a hash of the client's network by a key of this database. Where a user has logged in before, strangers cannot use up its tries.
ALTER TABLE sessions ADD COLUMN client bigint;
CREATE INDEX sessions_client ON sessions (user_id, client);
