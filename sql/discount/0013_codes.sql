-- Batches of unique codes: a pattern and a range of numbers. No code is stored (docs/codes.md); key_check says which master key makes them.
CREATE TABLE code_batches (
    number INTEGER PRIMARY KEY CHECK (number >= 1), -- the order of creation, without a gap
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    campaign_number INTEGER NOT NULL,
    pattern TEXT NOT NULL,
    key_check BLOB NOT NULL CHECK (length(key_check) = 16),
    first INTEGER NOT NULL CHECK (first >= 0),
    count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 10000000),
    max_uses INTEGER NOT NULL CHECK (max_uses >= 1),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, -- 0: never
    revoked_at INTEGER NOT NULL,
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND count),
    uses INTEGER NOT NULL CHECK (uses >= used),
    revoked INTEGER NOT NULL CHECK (revoked BETWEEN 0 AND count),
    note TEXT NOT NULL
) STRICT;

-- Codes that were revoked one by one.
CREATE TABLE code_revocations (
    batch_number INTEGER NOT NULL,
    code_index INTEGER NOT NULL CHECK (code_index >= 1),
    revoked_at INTEGER NOT NULL,
    PRIMARY KEY (batch_number, code_index)
) STRICT, WITHOUT ROWID;
