-- What an administrator did with one campaign is asked for by whoever listens to it.
CREATE INDEX audit_of_subject ON audit (subject, sequence);
