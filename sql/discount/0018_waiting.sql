-- The waiting list of a campaign. Who waits is a redemption with status 6, whose key is that of no place: number << 32 | 2^31 + ticket. When it is promoted it
-- gets the key of its place.
ALTER TABLE campaigns ADD COLUMN waiting_list INTEGER NOT NULL DEFAULT 0 CHECK (waiting_list >= 0); -- so many may wait
ALTER TABLE campaigns ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0); -- now
ALTER TABLE campaigns ADD COLUMN lined_up INTEGER NOT NULL DEFAULT 0 CHECK (lined_up >= 0); -- the newest ticket
ALTER TABLE campaigns ADD COLUMN called INTEGER NOT NULL DEFAULT 0 CHECK (called BETWEEN 0 AND lined_up); -- the tickets up to it have left the line
ALTER TABLE campaigns ADD COLUMN strayed INTEGER NOT NULL DEFAULT 0 CHECK (strayed >= 0); -- and of those behind it so many
