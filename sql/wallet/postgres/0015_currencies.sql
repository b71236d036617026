-- As for SQLite: several currencies.
CREATE TABLE currencies (
  code text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Z][A-Z][A-Z]$'),
  exponent bigint NOT NULL CHECK (exponent BETWEEN 0 AND 8),
  hash bytea NOT NULL CHECK (length(hash) = 32)
);

ALTER TABLE meta DROP CONSTRAINT meta_currency_check, ADD CONSTRAINT meta_currency_check CHECK (currency ~ '^[A-Z][A-Z][A-Z]$');

DROP INDEX accounts_user;
CREATE UNIQUE INDEX accounts_user ON accounts (user_id, currency) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX accounts_issuance ON accounts (currency) WHERE kind = 3;

ALTER TABLE merchants
  DROP CONSTRAINT merchants_name_key,
  ADD COLUMN merchant bigint,
  ADD COLUMN currency text COLLATE "C" CHECK (currency ~ '^[A-Z][A-Z][A-Z]$');
UPDATE merchants SET merchant = account, currency = coalesce((SELECT a.currency FROM accounts a WHERE a.number = account), (SELECT m.currency FROM meta m));
ALTER TABLE merchants ALTER COLUMN merchant SET NOT NULL, ALTER COLUMN currency SET NOT NULL;
CREATE UNIQUE INDEX merchants_name ON merchants (name) WHERE account = merchant;
CREATE UNIQUE INDEX merchants_till ON merchants (merchant, currency);
