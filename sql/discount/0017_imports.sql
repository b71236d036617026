-- Foreign codes, one batch for each import: of each its hash by a key that is not here, and its last four characters. row_check is made of all that a row says.
CREATE TABLE imported_codes (
    batch_number INTEGER NOT NULL,
    code_index INTEGER NOT NULL CHECK (code_index >= 1),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    last TEXT NOT NULL,
    row_check INTEGER NOT NULL,
    PRIMARY KEY (batch_number, code_index)
) STRICT, WITHOUT ROWID;
