-- Batches of unique codes: a pattern and a range of numbers. No code is stored (docs/codes.md); key_check says which master key makes them.
CREATE TABLE code_batches (
    number bigint PRIMARY KEY CHECK (number >= 1), -- the order of creation, without a gap
    id uuid NOT NULL UNIQUE,
    campaign_number bigint NOT NULL,
    pattern text COLLATE "C" NOT NULL,
    key_check bytea NOT NULL CHECK (length(key_check) = 16),
    first bigint NOT NULL CHECK (first >= 0),
    count bigint NOT NULL CHECK (count BETWEEN 1 AND 10000000),
    max_uses bigint NOT NULL CHECK (max_uses >= 1),
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL, -- 0: never
    revoked_at bigint NOT NULL,
    used bigint NOT NULL CHECK (used BETWEEN 0 AND count),
    uses bigint NOT NULL CHECK (uses >= used),
    revoked bigint NOT NULL CHECK (revoked BETWEEN 0 AND count),
    note text COLLATE "C" NOT NULL
) WITH (fillfactor = 50); -- the row of a batch is written with each redemption by one of its codes

-- Codes that were revoked one by one.
CREATE TABLE code_revocations (
    batch_number bigint NOT NULL,
    code_index bigint NOT NULL CHECK (code_index >= 1),
    revoked_at bigint NOT NULL,
    PRIMARY KEY (batch_number, code_index)
);
