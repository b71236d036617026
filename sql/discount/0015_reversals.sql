-- Redemptions that are taken back, or were (status 4 and 5): why, and what becomes of the place. One is here exactly while its redemption has one of the two.
CREATE TABLE reversals (
    key INTEGER PRIMARY KEY, -- the redemption's
    slot INTEGER NOT NULL CHECK (slot BETWEEN 1 AND 3), -- return, burn, promote
    reason TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    reversed_at INTEGER NOT NULL CHECK (reversed_at >= 0), -- 0: it is owed
    transaction_id BLOB CHECK (length(transaction_id) = 16) -- by which its credit was taken back; none: it is owed, or there was nothing to take back
) STRICT;
CREATE INDEX reversals_owed ON reversals (key) WHERE reversed_at = 0;

ALTER TABLE campaigns ADD COLUMN reversing INTEGER NOT NULL DEFAULT 0 CHECK (reversing >= 0); -- of the credited
ALTER TABLE campaigns ADD COLUMN reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0); -- of the redeemed; neither credited nor failed
ALTER TABLE campaigns ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0); -- of the reversed: their places are open again
ALTER TABLE campaigns ADD COLUMN day_returned INTEGER NOT NULL DEFAULT 0 CHECK (day_returned >= 0); -- of the returned: those of the day
