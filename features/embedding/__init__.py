"""Networks that turn each cell into a vector."""
