-- The id under which somebody claimed anew, after our database was replaced by an older copy, who turned out to have been paid before: the row has the id
-- that Wallet paid it by, and is found by this one as well.
ALTER TABLE redemptions ADD COLUMN claimed_as BLOB CHECK (length(claimed_as) = 16);
CREATE UNIQUE INDEX redemptions_claimed_as ON redemptions (claimed_as) WHERE claimed_as IS NOT NULL;
