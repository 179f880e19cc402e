"""How fast the project is, as ratios within one run; ``make bench`` runs all of it."""
