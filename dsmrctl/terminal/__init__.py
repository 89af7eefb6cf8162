"""The only place that prints: data to stdout, all else to stderr."""
