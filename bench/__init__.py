"""The benchmark: bench/run. docs/performance.md says what is measured, and how."""
