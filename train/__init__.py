"""Datasets in, trained model bundle out."""
