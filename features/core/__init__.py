"""What every family stands on: the batch of cells, its device, crops and objects."""
