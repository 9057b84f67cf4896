"""Nuclei and cells, found here or outlined elsewhere."""
