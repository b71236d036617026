-- What waits for a second administrator, and of which campaigns: one without a row asks nobody. row_check is made of all that a row says: a changed one is found.
CREATE TABLE campaign_approvals (
    campaign_number INTEGER PRIMARY KEY,
    is_needed INTEGER NOT NULL CHECK (is_needed IN (0, 1)),
    waits INTEGER NOT NULL CHECK (waits BETWEEN 0 AND 2), -- nothing, its creation, a change
    requested_by BLOB CHECK (length(requested_by) = 16),
    requested_at INTEGER NOT NULL,
    raise_places INTEGER NOT NULL, -- what the campaign would be then
    raise_amount INTEGER NOT NULL,
    raise_percent INTEGER NOT NULL,
    raise_discount_max INTEGER NOT NULL,
    raise_budget INTEGER NOT NULL,
    raise_end INTEGER NOT NULL CHECK (raise_end IN (0, 1)), -- it would ask nobody any more
    row_check INTEGER NOT NULL
) STRICT;
