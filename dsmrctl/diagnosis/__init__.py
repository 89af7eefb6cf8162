"""What may stand in the way of all this working here, looked for one thing after another."""
