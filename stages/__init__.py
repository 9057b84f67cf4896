"""What stands around the arrows of the story: which files they read and write, what is already done, who is told."""
