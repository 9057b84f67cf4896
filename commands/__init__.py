"""One module for each command: what is done already, its files, what it prints; and what several of them share."""
