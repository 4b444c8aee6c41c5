"""``train/train.py`` with the backbone "tiny", which it does not know by itself: for test_runs.py."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

    from common.cli.quiet import quiet

    with quiet():
        from tests.train import tiny_backbone
    from train.cli.train import main

    tiny_backbone.register()
    main()
