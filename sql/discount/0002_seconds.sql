-- A second's claims and credits are written in the transaction that makes them from now on. Before, the last ones before a crash could be
-- missing: they are counted again, from the rows themselves.
UPDATE seconds SET claimed = 0, credited = 0;
INSERT INTO seconds SELECT campaign_number, claimed_at / 1000000, count(*), 0, 0 FROM redemptions GROUP BY 1, 2
    ON CONFLICT DO UPDATE SET claimed = excluded.claimed;
INSERT INTO seconds SELECT campaign_number, settled_at / 1000000, 0, count(*), 0 FROM redemptions WHERE status = 1 GROUP BY 1, 2
    ON CONFLICT DO UPDATE SET credited = excluded.credited;
