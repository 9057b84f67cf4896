"""Metrics and the leaderboard."""
