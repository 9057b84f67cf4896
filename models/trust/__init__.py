"""How far a call can be trusted: prediction sets, out-of-distribution check, neighbours, label errors, prior shift."""
