"""One training run: its steps, its folder, resuming it, multiruns and folds."""
