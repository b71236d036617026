-- As for SQLite: an account that was closed.
ALTER TABLE accounts ADD COLUMN is_closed bigint NOT NULL DEFAULT 0 CHECK (is_closed BETWEEN 0 AND 1),
  ADD CONSTRAINT accounts_closed_check CHECK (is_closed = 0 OR (credits_posted = debits_posted AND debits_pending = 0));
