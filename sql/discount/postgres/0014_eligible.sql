-- For whom a campaign is: users and phone numbers, each once, and how many of each. row_check is made of all that a row says: a changed one is found.
CREATE TABLE eligible_users (
    campaign_number bigint NOT NULL,
    user_id uuid NOT NULL,
    row_check bigint NOT NULL,
    PRIMARY KEY (campaign_number, user_id)
);

CREATE TABLE eligible_phones (
    campaign_number bigint NOT NULL,
    phone text COLLATE "C" NOT NULL,
    row_check bigint NOT NULL,
    PRIMARY KEY (campaign_number, phone)
);

CREATE TABLE eligible_lists (
    campaign_number bigint PRIMARY KEY,
    users bigint NOT NULL CHECK (users >= 0),
    phones bigint NOT NULL CHECK (phones >= 0)
);
