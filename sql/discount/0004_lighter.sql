-- Less to write for each redemption, and the same tables as PostgreSQL's.

-- All positions up to settled_position are settled: what the settler owes is looked for behind it. It moves with the counters, in a row that is
-- written anyway, and costs no row of its own and no index, as the claims to be settled did before.
ALTER TABLE campaigns ADD COLUMN settled_position INTEGER NOT NULL DEFAULT 0 CHECK (settled_position BETWEEN 0 AND credited + failed);
UPDATE campaigns SET settled_position = coalesce(
    (SELECT min(key) - (number << 32) - 1 FROM redemptions WHERE status = 0 AND key > number << 32 AND key < (number + 1) << 32), redeemed);

-- Without the reference to campaigns, which was looked up for each row: verify proves it.
CREATE TABLE redemptions_new (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- in the order of time: appended
    campaign_number INTEGER NOT NULL CHECK (campaign_number = key >> 32),
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
INSERT INTO redemptions_new (key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure)
    SELECT key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure FROM redemptions ORDER BY key;
DROP TABLE redemptions;
ALTER TABLE redemptions_new RENAME TO redemptions;

-- Attempts that were refused, by the code of the refusal: a new reason needs no new column.
CREATE TABLE rejections_new (
    campaign_number INTEGER NOT NULL,
    refusal TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (campaign_number, refusal)
) STRICT, WITHOUT ROWID;
INSERT INTO rejections_new (campaign_number, refusal, count)
    SELECT campaign_number, 'sold_out', sold_out FROM rejections WHERE sold_out > 0
    UNION ALL SELECT campaign_number, 'already_redeemed', already_redeemed FROM rejections WHERE already_redeemed > 0
    UNION ALL SELECT campaign_number, 'phone_already_redeemed', phone_already_redeemed FROM rejections WHERE phone_already_redeemed > 0
    UNION ALL SELECT campaign_number, 'phone_mismatch', phone_mismatch FROM rejections WHERE phone_mismatch > 0
    UNION ALL SELECT campaign_number, 'campaign_not_started', campaign_not_started FROM rejections WHERE campaign_not_started > 0
    UNION ALL SELECT campaign_number, 'campaign_paused', campaign_paused FROM rejections WHERE campaign_paused > 0
    UNION ALL SELECT campaign_number, 'campaign_ended', campaign_ended FROM rejections WHERE campaign_ended > 0;
DROP TABLE rejections;
ALTER TABLE rejections_new RENAME TO rejections;

CREATE TABLE seconds_new (
    campaign_number INTEGER NOT NULL,
    second INTEGER NOT NULL,
    claimed INTEGER NOT NULL CHECK (claimed >= 0),
    credited INTEGER NOT NULL CHECK (credited >= 0),
    rejected INTEGER NOT NULL CHECK (rejected >= 0),
    PRIMARY KEY (campaign_number, second)
) STRICT, WITHOUT ROWID;
INSERT INTO seconds_new (campaign_number, second, claimed, credited, rejected)
    SELECT campaign_number, second, claimed, credited, rejected FROM seconds;
DROP TABLE seconds;
ALTER TABLE seconds_new RENAME TO seconds;

-- An answer without a subject has none, not a zero one.
CREATE TABLE idempotency_new (
    number INTEGER PRIMARY KEY,
    lookup BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    location TEXT NOT NULL,
    body TEXT NOT NULL,
    subject BLOB CHECK (length(subject) = 16),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO idempotency_new (number, lookup, fingerprint, status, content_type, location, body, subject, created_at)
    SELECT number, lookup, fingerprint, status, content_type, location, body, nullif(subject, zeroblob(16)), created_at FROM idempotency
    ORDER BY number;
DROP TABLE idempotency;
ALTER TABLE idempotency_new RENAME TO idempotency;
