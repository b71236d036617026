-- As for SQLite.
CREATE TABLE new_entries (
  key bigint PRIMARY KEY CHECK (key >> 32 >= 1 AND key & 4294967295 >= 1),
  transfer bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount <> 0),
  balance_after bigint NOT NULL,
  kind bigint NOT NULL,
  created_at bigint NOT NULL,
  id uuid,
  reference text COLLATE "C",
  description text COLLATE "C",
  caller text COLLATE "C",
  typed text COLLATE "C",
  other uuid,
  other_name text COLLATE "C"
);
INSERT INTO new_entries (key, transfer, amount, balance_after, kind, created_at, id, reference, description, caller, typed, other, other_name)
  SELECT (e.account << 32) + e.sequence, e.transfer, e.amount, e.balance_after, t.kind, t.created_at, s.id, s.reference, s.description, s.caller,
         CASE WHEN s.kind = 2 AND e.amount < 0 THEN s.metadata WHEN s.kind > 0 THEN '' END, o.id, coalesce(u.name, m.name)
  FROM entries e
  JOIN transfers t ON t.sequence = e.transfer
  LEFT JOIN transfers s ON s.sequence = t.sequence
    AND NOT (t.kind BETWEEN 3 AND 5 OR (t.kind = 1 AND e.amount < 0) OR (t.kind = 12 AND e.amount > 0))
  LEFT JOIN accounts o ON (t.kind = 2 OR t.kind = 6 OR t.kind = 8) AND o.number = CASE WHEN e.amount < 0 THEN t.credit_account ELSE t.debit_account END
  LEFT JOIN users u ON u.id = o.user_id
  LEFT JOIN merchants m ON m.account = o.number
  ORDER BY e.account, e.sequence;
DROP TABLE entries;
ALTER TABLE new_entries RENAME TO entries;
ALTER INDEX new_entries_pkey RENAME TO entries_pkey;
CREATE TRIGGER entries_are_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
