/* The settler of a world: its pool of claims is as large as the crowd needs, and in some worlds it is small, so that claims wait in the
 * database for their turn. Built into discountd only. */
#include "base/check.h"
#include "discount/settle/settler.h"
#include "sim/fiber.h"
#include "sim/random.h"
#include "sim/world.h"

#define CLAIMS_USUAL 512

struct result __real_settler_create(const struct settler_options *options, struct settler **ret_settler);
struct result __wrap_settler_create(const struct settler_options *options, struct settler **ret_settler);
struct result __wrap_settler_create(const struct settler_options *options, struct settler **ret_settler) {
    struct settler_options smaller = *options;
    CHECK(options->claims_max == 0);
    smaller.readiness = NULL; /* it is nobody's business here, and would be a call every two seconds */
    smaller.claims_max = world_fault(FAULT_CLAIMS_FULL) ? random_below(&world.random, 7) + 2 : CLAIMS_USUAL;
    return __real_settler_create(&smaller, ret_settler);
}
