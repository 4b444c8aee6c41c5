"""``python eval/verify.py``: the verification table of one model or several. See docs/evaluation.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(
        Path(__file__).resolve().parents[1]
    )  # it is eval/, whose files would hide libraries of their name
    from eval.cli.verify import main

    main()
