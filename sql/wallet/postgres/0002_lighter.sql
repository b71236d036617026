-- The whole schema as it is at this number: users, sessions and the books. Times are microseconds since 1970, amounts are in the currency's smallest
-- unit, ids are UUIDv7. No foreign keys: `walletd verify` proves what they would. The checks are a second guard behind src/wallet/core: they refuse
-- what the books must never hold, whoever writes it. What each table is for stands in the files of the same number for SQLite.

CREATE TABLE meta (
  "only" bigint PRIMARY KEY CHECK ("only" = 1),
  instance_id uuid NOT NULL,
  currency text COLLATE "C" NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  idempotency_secret bytea NOT NULL CHECK (octet_length(idempotency_secret) = 32),
  created_at bigint NOT NULL
);

CREATE TABLE users (
  id uuid PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 3 AND 32 AND name !~ '[^a-z0-9._-]'),
  phone text COLLATE "C" UNIQUE CHECK (phone ~ '^\+[1-9]' AND length(phone) <= 16),
  password_hash text COLLATE "C" NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
  is_admin bigint NOT NULL CHECK (is_admin BETWEEN 0 AND 1),
  created_at bigint NOT NULL,
  sessions_cutoff uuid,
  kept_session uuid,
  sessions_ended_at bigint
);
CREATE INDEX users_sessions_ended_at ON users (sessions_ended_at) WHERE sessions_ended_at IS NOT NULL;

CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  generation bigint NOT NULL CHECK (generation >= 1),
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  ended_at bigint
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_ended_at ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE refresh_tokens (
  session_id uuid NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  generation bigint NOT NULL CHECK (generation >= 1),
  expires_at bigint NOT NULL,
  PRIMARY KEY (session_id, hash)
);

-- Written by each transfer: an update changes no indexed column, and finds room in the row's own page.
CREATE TABLE accounts (
  number bigint PRIMARY KEY CHECK (number >= 1),
  id uuid NOT NULL UNIQUE,
  kind bigint NOT NULL CHECK (kind BETWEEN 1 AND 3),
  user_id uuid CHECK ((kind = 1) = (user_id IS NOT NULL)),
  currency text COLLATE "C" NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  debits_posted bigint NOT NULL CHECK (debits_posted >= 0),
  credits_posted bigint NOT NULL CHECK (credits_posted >= 0),
  debits_pending bigint NOT NULL CHECK (debits_pending >= 0),
  credits_pending bigint NOT NULL CHECK (credits_pending >= 0),
  sequence bigint NOT NULL CHECK (sequence >= 0),
  floor bigint NOT NULL CHECK (kind = 3 OR floor >= 0),
  is_frozen bigint NOT NULL CHECK (is_frozen BETWEEN 0 AND 1),
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CHECK (credits_posted - debits_posted - debits_pending >= floor),
  CHECK (credits_posted - debits_posted BETWEEN -9007199254740991 AND 9007199254740991)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX accounts_user ON accounts (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE transfers (
  sequence bigint PRIMARY KEY CHECK (sequence >= 1),
  id uuid NOT NULL UNIQUE,
  kind bigint NOT NULL CHECK (kind BETWEEN 1 AND 5),
  debit_account bigint NOT NULL,
  debit_sequence bigint NOT NULL,
  credit_account bigint NOT NULL,
  credit_sequence bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
  currency text COLLATE "C" NOT NULL CHECK (currency IN ('IRT', 'IRR')),
  caller text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  description text COLLATE "C" NOT NULL,
  metadata text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  CHECK (debit_account <> credit_account)
);
CREATE UNIQUE INDEX transfers_credit_reference ON transfers (caller, reference) WHERE kind = 1;
CREATE UNIQUE INDEX transfers_topup_reference ON transfers (credit_account, reference) WHERE kind = 4 AND reference <> '';

CREATE TABLE entries (
  account bigint NOT NULL,
  sequence bigint NOT NULL CHECK (sequence >= 1),
  transfer bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount <> 0),
  balance_after bigint NOT NULL,
  PRIMARY KEY (account, sequence)
);

-- Once for each statement that tries, and never for an insert: the books cost nothing more for it.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% are never changed or deleted', TG_TABLE_NAME; END $$;
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entries_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE funds (
  account bigint PRIMARY KEY,
  caller text COLLATE "C" NOT NULL,
  reference text COLLATE "C" NOT NULL,
  opened bigint NOT NULL CHECK (opened >= 1),
  funded bigint NOT NULL CHECK (funded >= opened),
  credited bigint NOT NULL CHECK (credited >= 0),
  released bigint NOT NULL CHECK (released >= 0),
  is_released bigint NOT NULL CHECK (is_released BETWEEN 0 AND 1),
  description text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  UNIQUE (caller, reference),
  CHECK (credited + released <= funded)
) WITH (fillfactor = 50);

CREATE TABLE idempotency (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  lookup bytea NOT NULL UNIQUE CHECK (octet_length(lookup) = 32),
  fingerprint text COLLATE "C" NOT NULL,
  status bigint NOT NULL,
  content_type text COLLATE "C" NOT NULL,
  location text COLLATE "C" NOT NULL,
  body text COLLATE "C" NOT NULL,
  subject uuid,
  created_at bigint NOT NULL
);
