-- For whom a campaign is: users and phone numbers, each once, and how many of each. row_check is made of all that a row says: a changed one is found.
CREATE TABLE eligible_users (
    campaign_number INTEGER NOT NULL,
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    row_check INTEGER NOT NULL,
    PRIMARY KEY (campaign_number, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE eligible_phones (
    campaign_number INTEGER NOT NULL,
    phone TEXT NOT NULL,
    row_check INTEGER NOT NULL,
    PRIMARY KEY (campaign_number, phone)
) STRICT, WITHOUT ROWID;

CREATE TABLE eligible_lists (
    campaign_number INTEGER PRIMARY KEY,
    users INTEGER NOT NULL CHECK (users >= 0),
    phones INTEGER NOT NULL CHECK (phones >= 0)
) STRICT;
