"""``python eval/verify_ijb.py``: a model on IJB-B and IJB-C, 1:1 and 1:N. See docs/ijb.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # it is eval/, whose files would shadow others' modules
    from eval.cli.verify_ijb import main

    main()
