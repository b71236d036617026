-- A page of an account's history is read out of one place: the entry keeps what its line shows, beside the journal, which stays as it is and proves it. Those
-- of funds and of issuance, through which nobody pages, keep their kind and time only (`id` is NULL). One integer as the key keeps the tree low, as wide rows in
-- a tree of their own key would not.
CREATE TABLE new_entries (
  key INTEGER PRIMARY KEY CHECK (key >> 32 >= 1 AND key & 4294967295 >= 1), -- the account's number << 32, and 1, 2, 3 and so on, per account
  transfer INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount <> 0), -- below zero: debit
  balance_after INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  id BLOB,
  reference TEXT,
  description TEXT,
  caller TEXT,
  typed TEXT, -- what the sender of a transfer typed; empty on all other entries
  other BLOB, -- whom its owner is shown on the other side: the account's id
  other_name TEXT -- and the user's or the merchant's name
) STRICT;
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
CREATE TRIGGER entries_are_immutable BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
