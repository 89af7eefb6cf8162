"""What runs on a board, and what decides there: ``core`` runs on the desk too."""
