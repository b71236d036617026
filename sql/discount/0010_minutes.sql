-- What happened in which minute (minutes since 1970); the newest ones only. A minute is counted with its seconds, which are forgotten before it.
CREATE TABLE minutes (
    campaign_number INTEGER NOT NULL,
    minute INTEGER NOT NULL,
    claimed INTEGER NOT NULL CHECK (claimed >= 0),
    credited INTEGER NOT NULL CHECK (credited >= 0),
    rejected INTEGER NOT NULL CHECK (rejected >= 0),
    PRIMARY KEY (campaign_number, minute)
) STRICT, WITHOUT ROWID;
INSERT INTO minutes (campaign_number, minute, claimed, credited, rejected)
    SELECT campaign_number, second / 60, sum(claimed), sum(credited), sum(rejected) FROM seconds GROUP BY campaign_number, second / 60;
-- What happened in seconds that are forgotten counts as of the minute of its campaign's first place, so that the minutes add up to its places.
INSERT INTO minutes (campaign_number, minute, claimed, credited, rejected)
    SELECT c.number, c.first_redeemed_at / 60000000, CASE WHEN c.redeemed > coalesce(s.claimed, 0) THEN c.redeemed - coalesce(s.claimed, 0) ELSE 0 END,
           CASE WHEN c.credited > coalesce(s.credited, 0) THEN c.credited - coalesce(s.credited, 0) ELSE 0 END, 0
    FROM campaigns AS c LEFT JOIN (SELECT campaign_number, sum(claimed) AS claimed, sum(credited) AS credited FROM seconds GROUP BY campaign_number) AS s
         ON s.campaign_number = c.number
    WHERE c.first_redeemed_at > 0 AND (c.redeemed > coalesce(s.claimed, 0) OR c.credited > coalesce(s.credited, 0))
    ON CONFLICT (campaign_number, minute) DO UPDATE SET claimed = minutes.claimed + excluded.claimed, credited = minutes.credited + excluded.credited;
