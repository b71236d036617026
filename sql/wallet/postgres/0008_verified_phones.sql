-- Whether somebody has proven that the number is the user's (PUT /v1/users/{id}/phone-verification). Of before nobody has.
ALTER TABLE users ADD COLUMN is_phone_verified bigint NOT NULL DEFAULT 0 CHECK (is_phone_verified BETWEEN 0 AND 1 AND (is_phone_verified = 0 OR phone IS NOT NULL));
