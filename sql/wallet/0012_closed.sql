-- An account that was closed, for good: it is empty, and nothing moves there any more.
ALTER TABLE accounts ADD COLUMN is_closed INTEGER NOT NULL DEFAULT 0
  CHECK (is_closed BETWEEN 0 AND 1 AND (is_closed = 0 OR (credits_posted = debits_posted AND debits_pending = 0)));
