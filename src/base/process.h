/* What the kernel says of this process, as metrics of Prometheus' own names (process_…). */
#pragma once

void process_register_metrics(void); /* before threads */
void process_measure(void);          /* any thread: before they are shown */
