"""From fields to tables: batches, devices, shards, pooling."""
