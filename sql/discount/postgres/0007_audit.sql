-- Who did what that an administrator may do, or was refused it: append-only, each row with a hash over itself and the row before (docs/ledger.md).
CREATE TABLE audit (
  sequence bigint PRIMARY KEY CHECK (sequence >= 1),
  created_at bigint NOT NULL,
  actor text COLLATE "C" NOT NULL,
  actor_name text COLLATE "C" NOT NULL,
  address text COLLATE "C" NOT NULL,
  request_id text COLLATE "C" NOT NULL,
  act text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL,
  state_before text COLLATE "C" NOT NULL,
  state_after text COLLATE "C" NOT NULL,
  hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is never changed, nothing is deleted', TG_TABLE_NAME; END $$;
CREATE TRIGGER audit_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
