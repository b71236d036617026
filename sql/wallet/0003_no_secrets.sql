-- The fingerprint of a registration had a line with a keyed digest of its password, by which a stolen database would let it be guessed: without it
-- nobody can, and the key is as good as before. (SQLite overwrites what it gives up, as Debian builds it.)
UPDATE idempotency
  SET fingerprint = substr(fingerprint, 1, instr(fingerprint, ' password' || char(10)) - 17) ||
                    substr(fingerprint, instr(fingerprint, ' password' || char(10)) + 10)
  WHERE instr(fingerprint, ' password' || char(10)) > 0;
