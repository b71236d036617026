/* What happens once, before the first world: both programs' `init`, with real files in a folder of our own, whose databases become the first
 * content of every world's disks. */
#pragma once

#define BOOT_ADMIN_NAME     "operator"
#define BOOT_ADMIN_PASSWORD "correct horse battery"

void boot_prepare(void); /* changes into the folder */
void boot_clean(void);   /* removes it */
