"""One-vs-rest models of each organelle, fold and member."""
