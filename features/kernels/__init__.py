"""The loops of the families, on the CPU and on the GPU."""
