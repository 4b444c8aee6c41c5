"""``python train/prepare_data.py``: datasets from ``.rec`` files, folders and photos. See docs/data.md."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # it is train/, where ``train`` would be train/train.py
    from train.cli.prepare_data import main

    main()
