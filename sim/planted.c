#include "sim/planted.h"

int planted_find_all(size_t job_count, FILE *table) {
    (void)job_count;
    fprintf(table, "none\n");
    return 2;
}
