/* The chain: each transfer carries a hash over its content and the hash of the one before, so that none is changed, put in or taken out
 * unseen. docs/ledger.md has the encoding. */
#pragma once

#include "wallet/core/transfers.h"

/* BLAKE2b-256 over the canonical encoding of everything in the transfer but `hash` itself. */
struct hash transfer_hash(const struct transfer *transfer);
/* Gives a transfer its place behind the head, the sequence and both hashes, and makes it the head. It is not older than the head. */
void chain_append(struct ledger_head *head, struct transfer *transfer);
