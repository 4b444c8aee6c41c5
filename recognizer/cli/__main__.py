"""``python -m recognizer.cli``: the command line without its console script."""

from recognizer.cli import main

main()
