"""fleet report: where the bytes of an image are, and how it differs from another one."""
