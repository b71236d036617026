-- What a phone number is is said by libphonenumber from now on: one that is not Iranian may stand here in a form that nobody's typing leads to any more.
-- The next start looks at each of these once, and this table is empty then (src/service/phones.h).
CREATE TABLE old_phones (
    key INTEGER PRIMARY KEY
) STRICT;
INSERT INTO old_phones SELECT key FROM redemptions WHERE phone NOT LIKE '+98%';
