-- Money that is spent, held and taken back. The database knows no list of kinds and currencies any more, which the program has; a transfer names the one
-- that it is about: `origin`, the sequence of the hold that it captures, frees or ends, or of the transfer that it takes back.
CREATE TABLE new_transfers (
  sequence INTEGER PRIMARY KEY CHECK (sequence >= 1),
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 31), -- src/wallet/core/transfers.h
  debit_account INTEGER NOT NULL,
  debit_sequence INTEGER NOT NULL, -- 0: it has no entry, because nothing moved (7 hold, 9 hold_release, 10 hold_expiry)
  credit_account INTEGER NOT NULL, -- 0: of a hold whose merchant is not known yet
  credit_sequence INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
  currency TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  caller TEXT NOT NULL,
  reference TEXT NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  origin INTEGER NOT NULL CHECK (origin BETWEEN 0 AND sequence - 1),
  expires_at INTEGER NOT NULL, -- of a hold; else 0
  CHECK (debit_account <> credit_account),
  CHECK ((debit_sequence = 0) = (kind IN (7, 9, 10)) AND (credit_sequence = 0) = (kind IN (7, 9, 10)))
) STRICT;
INSERT INTO new_transfers (sequence, id, kind, debit_account, debit_sequence, credit_account, credit_sequence, amount, currency, caller, reference,
                           description, metadata, created_at, hash, origin, expires_at)
  SELECT sequence, id, kind, debit_account, debit_sequence, credit_account, credit_sequence, amount, currency, caller, reference, description,
         metadata, created_at, hash, 0, 0 FROM transfers ORDER BY sequence;
DROP TABLE transfers;
ALTER TABLE new_transfers RENAME TO transfers;
CREATE UNIQUE INDEX transfers_credit_reference ON transfers (caller, reference) WHERE kind = 1;
CREATE UNIQUE INDEX transfers_topup_reference ON transfers (credit_account, reference) WHERE kind = 4 AND reference <> '';
-- Payments, holds, reversals and adjustments: what their caller named is known for ever.
CREATE UNIQUE INDEX transfers_reference ON transfers (caller, kind, reference) WHERE kind IN (6, 7, 11, 13) AND reference <> '';
CREATE UNIQUE INDEX transfers_credit_reversal ON transfers (caller, reference) WHERE kind = 12;
CREATE INDEX transfers_origin ON transfers (origin) WHERE origin <> 0;
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers are never changed'); END;
CREATE TRIGGER transfers_are_kept BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers are never deleted'); END;

CREATE TABLE new_accounts (
  number INTEGER PRIMARY KEY CHECK (number >= 1),
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 15), -- src/wallet/core/accounts.h
  user_id BLOB CHECK ((kind = 1) = (user_id IS NOT NULL)),
  currency TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
  credits_posted INTEGER NOT NULL CHECK (credits_posted >= 0),
  debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
  credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
  sequence INTEGER NOT NULL CHECK (sequence >= 0), -- of its newest entry
  floor INTEGER NOT NULL CHECK (kind = 3 OR floor >= 0),
  is_frozen INTEGER NOT NULL CHECK (is_frozen BETWEEN 0 AND 1),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  is_overdrawn INTEGER NOT NULL CHECK (is_overdrawn BETWEEN 0 AND 1), -- an administrator took more back than there was
  CHECK ((is_overdrawn = 1) = (credits_posted - debits_posted - debits_pending < floor)),
  CHECK (credits_posted - debits_posted BETWEEN -9007199254740991 AND 9007199254740991)
) STRICT;
INSERT INTO new_accounts (number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, sequence, floor,
                          is_frozen, created_at, updated_at, is_overdrawn)
  SELECT number, id, kind, user_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, sequence, floor, is_frozen,
         created_at, updated_at, 0 FROM accounts ORDER BY number;
DROP TABLE accounts;
ALTER TABLE new_accounts RENAME TO accounts;
CREATE UNIQUE INDEX accounts_user ON accounts (user_id) WHERE user_id IS NOT NULL;

-- What was credited out of a fund and taken back into it is in `credited` no more.
ALTER TABLE funds ADD COLUMN reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0);

-- Who is paid: an account of kind 4 each.
CREATE TABLE merchants (
  account INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- What has become of each hold: all of it follows from the journal, from the hold's own row (`transfer`) and those whose origin it is.
CREATE TABLE holds (
  transfer INTEGER PRIMARY KEY,
  account INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 4), -- held, captured, released, expired
  captured INTEGER NOT NULL CHECK (captured >= 0),
  remaining INTEGER NOT NULL CHECK (remaining >= 0),
  expires_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK ((state = 1) = (remaining > 0))
) STRICT;
CREATE INDEX holds_due ON holds (expires_at) WHERE state = 1;
