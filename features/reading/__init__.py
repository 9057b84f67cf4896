"""From image files to fields of four planes."""
