-- The fingerprint of a registration had a line with a keyed digest of its password, by which a stolen database would let it be guessed: without it
-- nobody can, and the key is as good as before. What PostgreSQL has given up it overwrites when the table is vacuumed.
UPDATE idempotency
  SET fingerprint = substr(fingerprint, 1, strpos(fingerprint, ' password' || chr(10)) - 17) ||
                    substr(fingerprint, strpos(fingerprint, ' password' || chr(10)) + 10)
  WHERE strpos(fingerprint, ' password' || chr(10)) > 0;
