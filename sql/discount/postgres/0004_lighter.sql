-- The whole schema as it is at this number: campaigns, their redemptions, and what is kept to answer the same request alike. Times are microseconds
-- since 1970 (0: none), money is in the currency's smallest unit. No foreign keys: verify proves what they would. What each table is for stands in
-- the files of the same number for SQLite.

CREATE TABLE campaigns (
    number bigint PRIMARY KEY CHECK (number BETWEEN 1 AND 1048576),
    id uuid NOT NULL UNIQUE,
    code text COLLATE "C" NOT NULL UNIQUE,
    name text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text COLLATE "C" NOT NULL,
    max_redemptions bigint NOT NULL CHECK (max_redemptions BETWEEN 1 AND 100000000),
    starts_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    is_paused bigint NOT NULL CHECK (is_paused BETWEEN 0 AND 1),
    version bigint NOT NULL CHECK (version >= 1),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    redeemed bigint NOT NULL CHECK (redeemed BETWEEN 0 AND max_redemptions),
    credited bigint NOT NULL CHECK (credited >= 0),
    failed bigint NOT NULL CHECK (failed >= 0 AND credited + failed <= redeemed),
    first_redeemed_at bigint NOT NULL,
    last_redeemed_at bigint NOT NULL,
    exhausted_at bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    fund_confirmed bigint NOT NULL CHECK (fund_confirmed >= 0),
    fund_step bigint NOT NULL CHECK (fund_step >= 0),
    fund_step_version bigint NOT NULL,
    fund_is_released bigint NOT NULL CHECK (fund_is_released BETWEEN 0 AND 1),
    settled_position bigint NOT NULL DEFAULT 0 CHECK (settled_position BETWEEN 0 AND credited + failed)
) WITH (fillfactor = 50); -- written by every batch: room for many versions of the row in its page

-- A mark changes no indexed column, and finds room in the row's own page: a HOT update.
CREATE TABLE redemptions (
    key bigint PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    campaign_number bigint NOT NULL CHECK (campaign_number = key >> 32),
    user_id uuid NOT NULL,
    phone text COLLATE "C" NOT NULL,
    status bigint NOT NULL CHECK (status BETWEEN 0 AND 2), -- claimed, credited, failed
    claimed_at bigint NOT NULL,
    settled_at bigint NOT NULL CHECK ((settled_at = 0) = (status = 0)),
    transaction_id uuid CHECK ((transaction_id IS NOT NULL) = (status = 1)),
    failure text COLLATE "C" CHECK ((failure IS NOT NULL) = (status = 2)),
    UNIQUE (user_id, campaign_number),
    UNIQUE (campaign_number, phone)
) WITH (fillfactor = 55); -- the second version of each row, with its transaction, is longer than the first

CREATE TABLE rejections (
    campaign_number bigint NOT NULL,
    refusal text COLLATE "C" NOT NULL,
    count bigint NOT NULL CHECK (count >= 0),
    PRIMARY KEY (campaign_number, refusal)
) WITH (fillfactor = 50);

CREATE TABLE seconds (
    campaign_number bigint NOT NULL,
    second bigint NOT NULL,
    claimed bigint NOT NULL CHECK (claimed >= 0),
    credited bigint NOT NULL CHECK (credited >= 0),
    rejected bigint NOT NULL CHECK (rejected >= 0),
    PRIMARY KEY (campaign_number, second)
) WITH (fillfactor = 50);

CREATE TABLE idempotency (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lookup bytea NOT NULL UNIQUE CHECK (length(lookup) = 32),
    fingerprint text COLLATE "C" NOT NULL,
    status bigint NOT NULL,
    content_type text COLLATE "C" NOT NULL,
    location text COLLATE "C" NOT NULL,
    body text COLLATE "C" NOT NULL,
    subject uuid,
    created_at bigint NOT NULL
) WITH (fillfactor = 80); -- an answer that waited becomes final

CREATE TABLE settings (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
