-- Several currencies: an account per user and currency, one of issuance per currency, and of each merchant a till in every one that it was paid in.
-- What an amount of a currency means hangs on its exponent: it is kept here, and does not change while there is an account. IRT and IRR are always known.
CREATE TABLE currencies (
  code TEXT PRIMARY KEY CHECK (code GLOB '[A-Z][A-Z][A-Z]'),
  exponent INTEGER NOT NULL CHECK (exponent BETWEEN 0 AND 8), -- digits of an amount behind the point
  hash BLOB NOT NULL CHECK (length(hash) = 32) -- of CODE:EXPONENT
) STRICT;

CREATE TABLE new_meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  instance_id BLOB NOT NULL CHECK (length(instance_id) = 16),
  currency TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'), -- the main one
  idempotency_secret BLOB NOT NULL CHECK (length(idempotency_secret) = 32),
  created_at INTEGER NOT NULL,
  time_zone TEXT NOT NULL DEFAULT 'UTC'
) STRICT;
INSERT INTO new_meta (only, instance_id, currency, idempotency_secret, created_at, time_zone)
  SELECT only, instance_id, currency, idempotency_secret, created_at, time_zone FROM meta;
DROP TABLE meta;
ALTER TABLE new_meta RENAME TO meta;

DROP INDEX accounts_user;
CREATE UNIQUE INDEX accounts_user ON accounts (user_id, currency) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_issuance ON accounts (currency) WHERE kind = 3;

CREATE TABLE new_merchants (
  account INTEGER PRIMARY KEY,
  name TEXT NOT NULL, -- the merchant's, also of a till
  merchant INTEGER NOT NULL, -- the merchant's own account: the one in the main currency
  currency TEXT NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]') -- the account's
) STRICT;
INSERT INTO new_merchants (account, name, merchant, currency)
  SELECT m.account, m.name, m.account, coalesce(a.currency, (SELECT currency FROM meta)) FROM merchants m LEFT JOIN accounts a ON a.number = m.account;
DROP TABLE merchants;
ALTER TABLE new_merchants RENAME TO merchants;
CREATE UNIQUE INDEX merchants_name ON merchants (name) WHERE account = merchant;
CREATE UNIQUE INDEX merchants_till ON merchants (merchant, currency);
