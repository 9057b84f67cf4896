"""The run folder: its files, the schema of their tables, and whether they are up to date."""
