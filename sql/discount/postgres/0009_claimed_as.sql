-- As SQLite's of the same number.
ALTER TABLE redemptions ADD COLUMN claimed_as uuid;
CREATE UNIQUE INDEX redemptions_claimed_as ON redemptions (claimed_as) WHERE claimed_as IS NOT NULL;
