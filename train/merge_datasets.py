"""``python train/merge_datasets.py``: several datasets become one, same people joined. See docs/merging.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # it is train/, where ``train`` would be train/train.py
    from train.cli.merge_datasets import main

    main()
