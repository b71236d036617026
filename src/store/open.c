#include "store/open.h"

#include "base/check.h"
#include "store/postgres/driver.h"
#include "store/sqlite/driver.h"

struct result batch_open(const struct place *place, enum batch_mode mode, struct batch **ret_batch) {
    CHECK((place->file == NULL) != (place->url == NULL));
    return place->file != NULL ? sqlite_batch_open(place, mode, ret_batch) : postgres_batch_open(place, mode, ret_batch);
}

bool place_is_served_on_threads(const struct place *place) { return place->file == NULL; }
