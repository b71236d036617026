-- Campaigns, their redemptions, and what is kept to answer the same request alike.
-- Times are microseconds since 1970 (0: none), money is in the currency's smallest unit, ids are the 16 bytes of a UUIDv7.

-- Few rows, all of them in memory while the service runs. `number` is the order of creation.
CREATE TABLE campaigns (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 1048576),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    max_redemptions INTEGER NOT NULL CHECK (max_redemptions BETWEEN 1 AND 100000000),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    is_paused INTEGER NOT NULL CHECK (is_paused IN (0, 1)),
    version INTEGER NOT NULL CHECK (version >= 1),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    redeemed INTEGER NOT NULL CHECK (redeemed BETWEEN 0 AND max_redemptions),
    credited INTEGER NOT NULL CHECK (credited >= 0),
    failed INTEGER NOT NULL CHECK (failed >= 0 AND credited + failed <= redeemed),
    first_redeemed_at INTEGER NOT NULL,
    last_redeemed_at INTEGER NOT NULL,
    exhausted_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    fund_confirmed INTEGER NOT NULL CHECK (fund_confirmed >= 0),
    fund_step INTEGER NOT NULL CHECK (fund_step >= 0),
    fund_step_version INTEGER NOT NULL,
    fund_is_released INTEGER NOT NULL CHECK (fund_is_released IN (0, 1))
) STRICT;

-- A place and the obligation to credit it are one row. The key is number << 32 | position: rows are appended within their campaign, a position
-- can't be given twice, and the winners by position are a range of the table itself.
CREATE TABLE redemptions (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- in the order of time: appended
    campaign_number INTEGER NOT NULL REFERENCES campaigns (number) CHECK (campaign_number = key >> 32),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    phone TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status IN (0, 1, 2)), -- claimed, credited, failed
    claimed_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL CHECK ((settled_at = 0) = (status = 0)),
    transaction_id BLOB CHECK ((transaction_id IS NOT NULL) = (status = 1)),
    failure TEXT CHECK ((failure IS NOT NULL) = (status = 2)),
    UNIQUE (user_id, campaign_number),
    UNIQUE (campaign_number, phone)
) STRICT;

-- What the settler still owes.
CREATE INDEX redemptions_unsettled ON redemptions (key) WHERE status = 0;

-- Attempts that were refused. Apart from campaigns, because the loops count them without the store.
CREATE TABLE rejections (
    campaign_number INTEGER PRIMARY KEY REFERENCES campaigns (number),
    sold_out INTEGER NOT NULL,
    already_redeemed INTEGER NOT NULL,
    phone_already_redeemed INTEGER NOT NULL,
    phone_mismatch INTEGER NOT NULL,
    campaign_not_started INTEGER NOT NULL,
    campaign_paused INTEGER NOT NULL,
    campaign_ended INTEGER NOT NULL
) STRICT;

-- What happened in which second; the newest ones only.
CREATE TABLE seconds (
    campaign_number INTEGER NOT NULL REFERENCES campaigns (number),
    second INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    credited INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    PRIMARY KEY (campaign_number, second)
) STRICT, WITHOUT ROWID;

-- Answers kept for requests with an Idempotency-Key, in the order of their first writing, so that the oldest are a range. Status 0: the answer
-- waits for `subject` (a claim to be credited, a fund to be opened).
CREATE TABLE idempotency (
    number INTEGER PRIMARY KEY,
    lookup BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    location TEXT NOT NULL,
    body TEXT NOT NULL,
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    created_at INTEGER NOT NULL
) STRICT;

-- What is made once with the database: the secret that keys the fingerprints of requests.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
