-- As for SQLite, whose words for it the questions share; the checks of the table cost nothing here.
DROP INDEX transfers_reference;
CREATE UNIQUE INDEX transfers_reference ON transfers (caller, kind, reference) WHERE (kind = 6 OR kind = 7 OR kind = 11 OR kind = 13) AND reference <> '';
