CREATE TABLE old_phones (
  id uuid PRIMARY KEY
);
INSERT INTO old_phones SELECT id FROM users WHERE phone NOT LIKE '+98%';
