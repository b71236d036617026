-- As for SQLite: the limits of accounts, and what was spent.
ALTER TABLE meta ADD COLUMN time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC';
ALTER TABLE accounts
  ADD COLUMN ceiling bigint CHECK (ceiling >= 0),
  ADD COLUMN per_transaction bigint CHECK (per_transaction >= 0),
  ADD COLUMN daily bigint CHECK (daily >= 0),
  ADD COLUMN monthly bigint CHECK (monthly >= 0),
  ADD COLUMN day_from bigint NOT NULL DEFAULT 0,
  ADD COLUMN day_spent bigint NOT NULL DEFAULT 0 CHECK (day_spent >= 0),
  ADD COLUMN month_from bigint NOT NULL DEFAULT 0,
  ADD COLUMN month_spent bigint NOT NULL DEFAULT 0 CHECK (month_spent >= 0);
CREATE INDEX holds_account ON holds (account);
