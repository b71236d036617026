-- What waits for a second administrator, and of which campaigns: one without a row asks nobody. row_check is made of all that a row says: a changed one is found.
CREATE TABLE campaign_approvals (
    campaign_number bigint PRIMARY KEY,
    is_needed bigint NOT NULL CHECK (is_needed IN (0, 1)),
    waits bigint NOT NULL CHECK (waits BETWEEN 0 AND 2), -- nothing, its creation, a change
    requested_by uuid,
    requested_at bigint NOT NULL,
    raise_places bigint NOT NULL, -- what the campaign would be then
    raise_amount bigint NOT NULL,
    raise_percent bigint NOT NULL,
    raise_discount_max bigint NOT NULL,
    raise_budget bigint NOT NULL,
    raise_end bigint NOT NULL CHECK (raise_end IN (0, 1)), -- it would ask nobody any more
    row_check bigint NOT NULL
);
