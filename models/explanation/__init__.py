"""Importance of features for a class, and local explanations of single calls."""
