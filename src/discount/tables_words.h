/* Words that more than one file of the tables needs. */
#pragma once

#define REDEMPTION_COLUMNS_OF(table)                                                                                              \
    table "key, " table "id, " table "user_id, " table "phone, " table "status, " table "claimed_at, " table "settled_at, " table \
          "transaction_id, " table "failure, " table "claimed_as, " table "code_batch, " table "code_index, " table               \
          "order_reference, " table "order_amount, " table "discount"
#define REDEMPTION_COLUMNS REDEMPTION_COLUMNS_OF("")
