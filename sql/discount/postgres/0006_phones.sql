CREATE TABLE old_phones (
    key bigint PRIMARY KEY
);
INSERT INTO old_phones SELECT key FROM redemptions WHERE phone NOT LIKE '+98%';
