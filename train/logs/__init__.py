"""What a run writes while it goes on: a bar, a table, TensorBoard."""
