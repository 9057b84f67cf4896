"""The ground floor: errors, files that are whole or absent, progress and parallel runs; knows nothing of cells."""
