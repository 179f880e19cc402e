"""Statistics of predicted ages: accuracy, brain-age gap, associations, head motion, comparison of runs."""
