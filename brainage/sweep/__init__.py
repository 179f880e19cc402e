"""The hyperparameter sweep: Optuna over the same entrypoint."""

# The folder, in that of a nested search, that has its tuned networks, one an outer fold.
TUNED = "tuned"
