"""What stands in for hardware: a household, its smart meter and, later, boards."""
