-- Why Wallet refuses the step that a campaign's fund waits for, by Wallet's own code and words; empty: it does not.
ALTER TABLE campaigns ADD COLUMN fund_refusal TEXT NOT NULL DEFAULT '';
ALTER TABLE campaigns ADD COLUMN fund_refusal_detail TEXT NOT NULL DEFAULT '';
