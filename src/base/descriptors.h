/* The three descriptors that a program is born with. */
#pragma once

/* Opens /dev/null on each of 0, 1 and 2 that is closed, so that no file of ours gets the number that log lines go to. The first thing in main; ends the
 * process when not even that can be opened. */
void descriptors_fill(void);
