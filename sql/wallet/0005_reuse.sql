-- A refresh token that was used is good for another moment (--refresh-reuse-interval), and forgotten after it: that it was one of ours can be told from
-- itself. NULL: it was not used yet.
ALTER TABLE refresh_tokens ADD COLUMN reusable_until INTEGER;
UPDATE refresh_tokens SET reusable_until = 0
  WHERE generation < (SELECT generation FROM sessions WHERE sessions.id = refresh_tokens.session_id);
