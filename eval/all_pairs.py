"""``python eval/all_pairs.py``: all pairs of a folder of identities. See docs/all-pairs.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # it is eval/, where modules could shadow others
    from eval.cli.all_pairs import main

    main()
