"""The command lines of evaluation."""
