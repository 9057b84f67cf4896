"""How work is run: workers here or on a cluster, locks, interrupts, progress, compiled code, memory."""
