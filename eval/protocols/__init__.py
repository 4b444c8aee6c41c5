"""Protocols: each turns embeddings and what is known of them into the numbers that the field compares."""
