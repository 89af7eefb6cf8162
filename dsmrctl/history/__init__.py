"""The log: what the meter said, kept in one SQLite file.

Every second for thirty days; quarters, and so days, months and years, for ever.
"""
