"""How fast, beside whom: `python -m benchmarks`. A family is a module here that has `measure`."""
