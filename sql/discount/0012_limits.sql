-- Limits as one vector, gifts of other kinds, orders, and codes of batches.

-- A user or a phone may have more than one redemption where its campaign says so: the decision counts them, and verify proves it. What belongs to which
-- status is said by the core (redemption_fault), so that a new status needs no new table.
CREATE TABLE redemptions_new (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16), -- in the order of time: appended
    campaign_number INTEGER NOT NULL CHECK (campaign_number = key >> 32),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    phone TEXT NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 15), -- claimed, credited, failed, applied
    claimed_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL,
    transaction_id BLOB CHECK (length(transaction_id) = 16),
    failure TEXT,
    claimed_as BLOB CHECK (length(claimed_as) = 16),
    code_batch INTEGER CHECK (code_batch > 0), -- none: the campaign's own code
    code_index INTEGER CHECK (code_index >= 0),
    order_reference TEXT, -- none: without an order
    order_amount INTEGER,
    discount INTEGER -- taken off the order
) STRICT;
INSERT INTO redemptions_new (key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure, claimed_as)
    SELECT key, id, campaign_number, user_id, phone, status, claimed_at, settled_at, transaction_id, failure, claimed_as FROM redemptions
    ORDER BY key;
DROP TABLE redemptions;
ALTER TABLE redemptions_new RENAME TO redemptions;
CREATE INDEX redemptions_of_user ON redemptions (user_id, campaign_number);
CREATE INDEX redemptions_of_phone ON redemptions (campaign_number, phone);
CREATE UNIQUE INDEX redemptions_claimed_as ON redemptions (claimed_as) WHERE claimed_as IS NOT NULL;
CREATE INDEX redemptions_of_code ON redemptions (code_batch, code_index) WHERE code_batch IS NOT NULL;

-- The code of a campaign that has ended is free, and a limit may be lowered below what is taken. A day of the limit per day begins at day_starts_at, when
-- day_before places were taken, and ends at day_ends_at.
CREATE TABLE campaigns_new (
    number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 1048576),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    currency TEXT NOT NULL,
    max_redemptions INTEGER NOT NULL CHECK (max_redemptions BETWEEN 1 AND 100000000),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    is_paused INTEGER NOT NULL CHECK (is_paused IN (0, 1)),
    version INTEGER NOT NULL CHECK (version >= 1),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    redeemed INTEGER NOT NULL CHECK (redeemed >= 0),
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
    fund_is_released INTEGER NOT NULL CHECK (fund_is_released IN (0, 1)),
    settled_position INTEGER NOT NULL DEFAULT 0 CHECK (settled_position BETWEEN 0 AND redeemed),
    phone_rule INTEGER NOT NULL DEFAULT 0 CHECK (phone_rule BETWEEN 0 AND 2),
    fund_refusal TEXT NOT NULL DEFAULT '',
    fund_refusal_detail TEXT NOT NULL DEFAULT '',
    over_at INTEGER NOT NULL DEFAULT 0 CHECK (over_at >= 0), -- places taken when the limit was lowered below them; 0: it was not
    spent INTEGER NOT NULL DEFAULT 0 CHECK (spent >= 0), -- of the budget: all gifts that were given out
    ordered INTEGER NOT NULL DEFAULT 0 CHECK (ordered >= 0), -- amounts of all orders
    day_starts_at INTEGER NOT NULL DEFAULT 0,
    day_ends_at INTEGER NOT NULL DEFAULT 0,
    day_before INTEGER NOT NULL DEFAULT 0 CHECK (day_before BETWEEN 0 AND redeemed),
    kind INTEGER NOT NULL DEFAULT 1 CHECK (kind BETWEEN 1 AND 15), -- wallet_credit, amount_off, percent_off
    percent INTEGER NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 10000), -- hundredths of a percent
    discount_max INTEGER NOT NULL DEFAULT 0 CHECK (discount_max >= 0),
    min_order INTEGER NOT NULL DEFAULT 0 CHECK (min_order >= 0),
    max_per_user INTEGER NOT NULL DEFAULT 1 CHECK (max_per_user >= 1),
    max_per_phone INTEGER NOT NULL DEFAULT 1 CHECK (max_per_phone >= 1),
    max_per_day INTEGER NOT NULL DEFAULT 0 CHECK (max_per_day >= 0),
    budget INTEGER NOT NULL DEFAULT 0 CHECK (budget >= 0),
    time_zone TEXT NOT NULL DEFAULT '', -- none: the service's
    schedule_days INTEGER NOT NULL DEFAULT 0 CHECK (schedule_days BETWEEN 0 AND 127), -- a bit for each, Saturday's is 1; 0: no schedule
    schedule_from INTEGER NOT NULL DEFAULT 0 CHECK (schedule_from BETWEEN 0 AND 1439), -- minutes of the day
    schedule_to INTEGER NOT NULL DEFAULT 0 CHECK (schedule_to BETWEEN 0 AND 1440),
    is_public INTEGER NOT NULL DEFAULT 0 CHECK (is_public IN (0, 1)),
    has_list INTEGER NOT NULL DEFAULT 0 CHECK (has_list IN (0, 1)),
    account_age_min INTEGER NOT NULL DEFAULT 0 CHECK (account_age_min >= 0), -- seconds
    metadata TEXT NOT NULL DEFAULT '' -- a JSON object of texts
) STRICT;
INSERT INTO campaigns_new (number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence,
    redeemed, credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step,
    fund_step_version, fund_is_released, settled_position, phone_rule, fund_refusal, fund_refusal_detail, spent)
    SELECT number, id, code, name, amount, currency, max_redemptions, starts_at, ends_at, ended_at, is_paused, version, sequence,
    redeemed, credited, failed, first_redeemed_at, last_redeemed_at, exhausted_at, created_at, updated_at, fund_confirmed, fund_step,
    fund_step_version, fund_is_released, settled_position, phone_rule, fund_refusal, fund_refusal_detail, redeemed * amount FROM campaigns
    ORDER BY number;
DROP TABLE campaigns;
ALTER TABLE campaigns_new RENAME TO campaigns;
