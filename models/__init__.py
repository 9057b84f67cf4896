"""From a field matrix to calibrated calls: folds, boosters, stack, calibration, thresholds, importances."""
