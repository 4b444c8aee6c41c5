"""The command lines of ``train/*.py``; each script there only calls its namesake here."""
