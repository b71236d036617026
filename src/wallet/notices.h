/* What the log tells an operator of users: who has logged in, who was refused, and large sums that moved; each with who and from where. Names that were typed
 * are never told: they may be a password in the wrong field. */
#pragma once

#include "http/exchange.h"
#include "wallet/core/transfers.h"
#include "wallet/core/users.h"

struct wallet;

void notices_login(const struct exchange *exchange, const struct user *user); /* in */
/* `user`: who he said to be; NULL: nobody whom there is. `reason`: the code of the problem that answers it. */
void notices_login_refused(const struct exchange *exchange, const struct user *user, const char *reason);
/* After its commit. Smaller sums than --log-transfers-from are not told. `exchange`: of the user who sends it; NULL: a service moves it. */
void notices_transfer(const struct wallet *wallet, const struct exchange *exchange, const struct transfer *transfer);
