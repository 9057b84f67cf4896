"""From the field matrix to calibrated calls and their explanations."""
