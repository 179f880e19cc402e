"""The hyperparameter sweep: Optuna over the same entrypoint."""
