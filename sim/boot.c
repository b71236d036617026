#include "sim/boot.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crypto.h"
#include "sim/disk_vfs.h"
#include "sim/process.h"
#include "sim/seams.h"
#include "sim/shop.h"
#include "sim/world.h"

static char folder[64];

/* What they say on standard output is for people who call them. */
static void run(const struct process *process, char **arguments) {
    int count = 0;
    while (arguments[count] != NULL) count++;
    fflush(stdout);
    int kept = dup(STDOUT_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(kept >= 0 && nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0);
    int code = process->main(count, arguments);
    fflush(stdout);
    CHECK(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    close(nowhere);
    CHECK(code == 0);
}

static void give_password(void) {
    int pipe_fds[2];
    static const char line[] = BOOT_ADMIN_PASSWORD "\n";
    CHECK(pipe(pipe_fds) == 0);
    CHECK(write(pipe_fds[1], line, sizeof line - 1) == (ssize_t)sizeof line - 1);
    CHECK(dup2(pipe_fds[0], STDIN_FILENO) >= 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

void boot_prepare(void) {
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/hamyan-sim-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    seams_take_over_randomness();
    crypto_init();
    world_begin(0, &(struct world_limits){0});
    pages_prepare();
    process_prepare();
    char *wallet_init[] = {"walletd", "init", "--data", "0", NULL};
    char *discount_init[] = {"discountd", "init", "--data", "1", NULL};
    char *other_init[] = {"walletd", "init", "--data", "2", NULL};
    char *user_add[] = {"walletd", "user", "add", "--data", "0", "--admin", BOOT_ADMIN_NAME, NULL};
    run(&processes[PROCESS_WALLET], wallet_init);
    run(&processes[PROCESS_DISCOUNT], discount_init);
    give_password();
    run(&processes[PROCESS_WALLET], user_add);
    run(&processes[PROCESS_WALLET], other_init);
    shop_prepare();
    process_read_first_disks();
    disk_vfs_register();
}

static int remove_any(const char *path, const struct stat *file, int kind, struct FTW *place) {
    (void)file;
    (void)kind;
    (void)place;
    return remove(path);
}

void boot_clean(void) {
    CHECK(strstr(folder, "hamyan-sim-") != NULL);
    (void)nftw(folder, remove_any, 16, FTW_DEPTH | FTW_PHYS);
}
