"""Statistics of predicted ages: accuracy, brain-age gap, associations, head motion, comparison of runs."""

METRICS = ("mae", "mse", "rmse", "r2", "pearson_r")
