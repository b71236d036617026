-- With whose phone number a place may be taken: 0 the account's own, 1 that one and verified, 2 any. Campaigns of before had no rule for accounts without a
-- number, which could name anybody's: they get the first.
ALTER TABLE campaigns ADD COLUMN phone_rule bigint NOT NULL DEFAULT 0 CHECK (phone_rule BETWEEN 0 AND 2);
