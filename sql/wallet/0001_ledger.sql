-- Users, sessions and the books. Times are microseconds since 1970, amounts are in the currency's smallest unit, ids are UUIDv7 as 16 bytes.
-- The checks are a second guard behind src/wallet/ledger.c: they refuse what the books must never hold, whoever writes it.

CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  instance_id BLOB NOT NULL CHECK (length(instance_id) = 16),
  currency TEXT NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  idempotency_secret BLOB NOT NULL CHECK (length(idempotency_secret) = 32),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE user (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 3 AND 32 AND name NOT GLOB '*[^a-z0-9._-]*'),
  phone TEXT UNIQUE CHECK (phone GLOB '+[1-9]*' AND length(phone) <= 16),
  password_hash TEXT NOT NULL CHECK (password_hash GLOB '$argon2id$*'),
  is_admin INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
  created_at INTEGER NOT NULL,
  -- A change of password ends all sessions with smaller ids, but one.
  sessions_cutoff BLOB CHECK (length(sessions_cutoff) = 16),
  kept_session BLOB CHECK (length(kept_session) = 16),
  sessions_ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX user_sessions_ended_at ON user (sessions_ended_at) WHERE sessions_ended_at IS NOT NULL;

CREATE TABLE session (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL REFERENCES user (id),
  generation INTEGER NOT NULL CHECK (generation >= 1),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX session_expires_at ON session (expires_at);
CREATE INDEX session_ended_at ON session (ended_at) WHERE ended_at IS NOT NULL;

-- Only the hash of a refresh token is kept. Used ones stay until their session expires, so that a second use is recognised.
CREATE TABLE refresh_token (
  session_id BLOB NOT NULL REFERENCES session (id) ON DELETE CASCADE,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  generation INTEGER NOT NULL CHECK (generation >= 1),
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  number INTEGER PRIMARY KEY CHECK (number >= 1),
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind INTEGER NOT NULL CHECK (kind IN (1, 2, 3)), -- user, fund, issuance
  user_id BLOB REFERENCES user (id) CHECK ((kind = 1) = (user_id IS NOT NULL)),
  currency TEXT NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  debits_posted INTEGER NOT NULL CHECK (debits_posted >= 0),
  credits_posted INTEGER NOT NULL CHECK (credits_posted >= 0),
  debits_pending INTEGER NOT NULL CHECK (debits_pending >= 0),
  credits_pending INTEGER NOT NULL CHECK (credits_pending >= 0),
  sequence INTEGER NOT NULL CHECK (sequence >= 0), -- of its newest entry
  floor INTEGER NOT NULL CHECK (kind = 3 OR floor >= 0),
  is_frozen INTEGER NOT NULL CHECK (is_frozen IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CHECK (credits_posted - debits_posted - debits_pending >= floor),
  CHECK (credits_posted - debits_posted BETWEEN -9007199254740991 AND 9007199254740991)
) STRICT;
CREATE UNIQUE INDEX account_user ON account (user_id) WHERE user_id IS NOT NULL;

-- Appended, never changed. The hash covers everything here, both balances, and the hash of the transfer before (docs/ledger.md).
CREATE TABLE transfer (
  sequence INTEGER PRIMARY KEY CHECK (sequence >= 1),
  id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5), -- credit, transfer, fund_open, fund_topup, fund_release
  debit_account INTEGER NOT NULL REFERENCES account (number),
  debit_sequence INTEGER NOT NULL,
  credit_account INTEGER NOT NULL REFERENCES account (number),
  credit_sequence INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
  currency TEXT NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  caller TEXT NOT NULL,
  reference TEXT NOT NULL,
  description TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  CHECK (debit_account <> credit_account)
) STRICT;
CREATE UNIQUE INDEX transfer_credit_reference ON transfer (caller, reference) WHERE kind = 1;
CREATE UNIQUE INDEX transfer_topup_reference ON transfer (credit_account, reference) WHERE kind = 4 AND reference <> '';

CREATE TRIGGER transfer_is_immutable BEFORE UPDATE ON transfer BEGIN SELECT RAISE(ABORT, 'transfers are never changed'); END;
CREATE TRIGGER transfer_is_kept BEFORE DELETE ON transfer BEGIN SELECT RAISE(ABORT, 'transfers are never deleted'); END;

-- Two for each transfer: what it did to an account.
CREATE TABLE entry (
  account INTEGER NOT NULL REFERENCES account (number),
  sequence INTEGER NOT NULL CHECK (sequence >= 1), -- 1, 2, 3 and so on, per account
  transfer INTEGER NOT NULL REFERENCES transfer (sequence),
  amount INTEGER NOT NULL CHECK (amount <> 0), -- below zero: debit
  balance_after INTEGER NOT NULL,
  PRIMARY KEY (account, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entry_is_immutable BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entry_is_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;

CREATE TABLE fund (
  account INTEGER PRIMARY KEY REFERENCES account (number),
  caller TEXT NOT NULL,
  reference TEXT NOT NULL,
  opened INTEGER NOT NULL CHECK (opened >= 1),
  funded INTEGER NOT NULL CHECK (funded >= opened),
  credited INTEGER NOT NULL CHECK (credited >= 0),
  released INTEGER NOT NULL CHECK (released >= 0),
  is_released INTEGER NOT NULL CHECK (is_released IN (0, 1)),
  description TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (caller, reference),
  CHECK (credited + released <= funded)
) STRICT;

-- Answers kept for Idempotency-Key. Numbered in the order of their making, so that the oldest are found without an index.
CREATE TABLE idempotency (
  number INTEGER PRIMARY KEY,
  lookup BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  location TEXT NOT NULL,
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
