-- Foreign codes, one batch for each import: of each its hash by a key that is not here, and its last four characters. row_check is made of all that a row says.
CREATE TABLE imported_codes (
    batch_number bigint NOT NULL,
    code_index bigint NOT NULL CHECK (code_index >= 1),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    last text COLLATE "C" NOT NULL,
    row_check bigint NOT NULL,
    PRIMARY KEY (batch_number, code_index)
);
