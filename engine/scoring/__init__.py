"""From a model's raw score to the percentile of the normal cohort, a flag and a calibrated heatmap."""
