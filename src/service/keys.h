/* A service's own signing keys in an operator's hands: `PROGRAM keys`, `keys list`, `keys rotate` and `keys retire KID`, which change the folder, and
 * SIGHUP, at which a running service takes over what is there. The commands print what is left to do; each returns the exit code. */
#pragma once

#include "auth/token.h"
#include "service/service.h"

/* What opens a service's keys; says on service_errors() why it can't. The caller frees the ring. */
struct result keys_load(const char *program, const char *folder, struct key_ring **ret_ring) MUST_CHECK;
int keys_print(const char *program, const char *folder); /* the JWKS document */
int keys_list(const char *program, const char *folder);
int keys_rotate(const char *program, const char *folder);
/* `lifetime_us`: how long a token of it may be good. The only key is not retired: nothing could be signed. */
int keys_retire(const char *program, const char *folder, const char *kid, int64_t lifetime_us);

/* On SIGHUP: from now on the folder's newest key signs, all of them are published, and those that are gone are trusted no more. What can't be used
 * changes nothing, and is said in the log. The audit log notes it. One thread. */
void keys_reload(struct service *service, struct trust *trust, const char *folder);
