-- Who did what that an administrator may do, or was refused it: append-only, each row with a hash over itself and the row before (docs/ledger.md).
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY CHECK (sequence >= 1), -- without a gap
  created_at INTEGER NOT NULL,
  actor TEXT NOT NULL, -- a user's id, a service's name, or system
  actor_name TEXT NOT NULL,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  act TEXT NOT NULL,
  subject TEXT NOT NULL,
  outcome TEXT NOT NULL, -- done, or the code of the refusal
  state_before TEXT NOT NULL, -- JSON, or nothing
  state_after TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_is_immutable BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'nothing is deleted from the audit log'); END;
