-- As for SQLite: money that is spent, held and taken back.
ALTER TABLE transfers
  DROP CONSTRAINT transfers_kind_check, ADD CONSTRAINT transfers_kind_check CHECK (kind BETWEEN 1 AND 31),
  DROP CONSTRAINT transfers_currency_check, ADD CONSTRAINT transfers_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  ADD COLUMN origin bigint NOT NULL DEFAULT 0 CHECK (origin BETWEEN 0 AND sequence - 1),
  ADD COLUMN expires_at bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT transfers_entries_check CHECK ((debit_sequence = 0) = (kind IN (7, 9, 10)) AND (credit_sequence = 0) = (kind IN (7, 9, 10)));
ALTER TABLE transfers ALTER COLUMN origin DROP DEFAULT, ALTER COLUMN expires_at DROP DEFAULT;
CREATE UNIQUE INDEX transfers_reference ON transfers (caller, kind, reference) WHERE kind IN (6, 7, 11, 13) AND reference <> '';
CREATE UNIQUE INDEX transfers_credit_reversal ON transfers (caller, reference) WHERE kind = 12;
CREATE INDEX transfers_origin ON transfers (origin) WHERE origin <> 0;

ALTER TABLE accounts
  DROP CONSTRAINT accounts_kind_check, ADD CONSTRAINT accounts_kind_check CHECK (kind BETWEEN 1 AND 15),
  DROP CONSTRAINT accounts_currency_check, ADD CONSTRAINT accounts_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
  ADD COLUMN is_overdrawn bigint NOT NULL DEFAULT 0 CHECK (is_overdrawn BETWEEN 0 AND 1),
  DROP CONSTRAINT accounts_check2,
  ADD CONSTRAINT accounts_floor_check CHECK ((is_overdrawn = 1) = (credits_posted - debits_posted - debits_pending < floor));
ALTER TABLE accounts ALTER COLUMN is_overdrawn DROP DEFAULT;

ALTER TABLE funds ADD COLUMN reversed bigint NOT NULL DEFAULT 0 CHECK (reversed >= 0);

CREATE TABLE merchants (
  account bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE holds (
  transfer bigint PRIMARY KEY,
  account bigint NOT NULL,
  state bigint NOT NULL CHECK (state BETWEEN 1 AND 4),
  captured bigint NOT NULL CHECK (captured >= 0),
  remaining bigint NOT NULL CHECK (remaining >= 0),
  expires_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CHECK ((state = 1) = (remaining > 0))
);
CREATE INDEX holds_due ON holds (expires_at) WHERE state = 1;
