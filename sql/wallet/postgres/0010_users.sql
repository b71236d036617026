-- What an administrator does to users: a disabled one does not log in, and a temporary password is changed by the next login.
ALTER TABLE users ADD COLUMN is_disabled bigint NOT NULL DEFAULT 0 CHECK (is_disabled IN (0, 1));
ALTER TABLE users ADD COLUMN is_password_temporary bigint NOT NULL DEFAULT 0 CHECK (is_password_temporary IN (0, 1));
CREATE INDEX users_disabled ON users (id) WHERE is_disabled = 1; -- few of many
CREATE INDEX sessions_user ON sessions (user_id, id);
