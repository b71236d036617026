-- The same table with its status checked by BETWEEN: for an IN of three values SQLite builds a table of its own at each row that is written,
-- and half of the time that a redemption spent in SQLite went there.
CREATE TABLE redemptions_new (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- in the order of time: appended
    campaign_number INTEGER NOT NULL REFERENCES campaigns (number) CHECK (campaign_number = key >> 32),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    phone TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2), -- claimed, credited, failed
    claimed_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL CHECK ((settled_at = 0) = (status = 0)),
    transaction_id BLOB CHECK ((transaction_id IS NOT NULL) = (status = 1)),
    failure TEXT CHECK ((failure IS NOT NULL) = (status = 2)),
    UNIQUE (user_id, campaign_number),
    UNIQUE (campaign_number, phone)
) STRICT;
INSERT INTO redemptions_new SELECT key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure
    FROM redemptions ORDER BY key;
DROP TABLE redemptions;
ALTER TABLE redemptions_new RENAME TO redemptions;
CREATE INDEX redemptions_unsettled ON redemptions (key) WHERE status = 0;
