"""One module for each command: what is already done, which files it reads and writes, and what it prints."""
