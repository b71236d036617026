-- What an administrator allows an account beside its floor, NULL: anything; and what of it was spent in the day and in the month that begin at these times, in
-- the time zone of the service, which is the one they were counted in last.
ALTER TABLE meta ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE accounts ADD COLUMN ceiling INTEGER CHECK (ceiling >= 0);
ALTER TABLE accounts ADD COLUMN per_transaction INTEGER CHECK (per_transaction >= 0);
ALTER TABLE accounts ADD COLUMN daily INTEGER CHECK (daily >= 0);
ALTER TABLE accounts ADD COLUMN monthly INTEGER CHECK (monthly >= 0);
ALTER TABLE accounts ADD COLUMN day_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN day_spent INTEGER NOT NULL DEFAULT 0 CHECK (day_spent >= 0);
ALTER TABLE accounts ADD COLUMN month_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN month_spent INTEGER NOT NULL DEFAULT 0 CHECK (month_spent >= 0);
CREATE INDEX holds_account ON holds (account);
