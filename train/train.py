"""Trains a network: ``python train/train.py --config resnet50.yaml``. ``--help`` lists all options."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # this folder would come before the package of its name

    from train.cli.train import main

    main()
