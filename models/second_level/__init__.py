"""Stacking, calibration and thresholds, fitted on out-of-fold scores."""
