/* The ledger for an auditor from outside: how far it goes, and every transfer with its hash, which the auditor computes again (docs/ledger.md). */
#pragma once

#include "http/exchange.h"

#define JOURNAL_TYPE "application/jsonl"

void journal_get_head(struct exchange *exchange); /* GET /v1/ledger/head */
void journal_list(struct exchange *exchange);     /* GET /v1/ledger/transfers */
