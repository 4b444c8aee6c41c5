"""``python eval/build.py``: verification sets from pictures. See docs/verification-sets.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # it is eval/, whose modules would shadow others
    from eval.cli.build import main

    main()
