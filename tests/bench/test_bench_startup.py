import os
import sys

import pytest

from bench.startup import import_times, whole_process
from common.errors import FaceError

LOG = """import time: self [us] | cumulative | imported package
import time:       200 |        200 |     encodings
import time:      1500 |      30500 |   numpy
something else on standard error
import time:      3000 |      33500 | recognizer
"""


def test_modules_are_listed_by_the_time_they_take_themselves():
    assert import_times(LOG) == [("recognizer", 3.0, 33.5), ("numpy", 1.5, 30.5), ("encodings", 0.2, 0.2)]


def test_a_process_is_timed_to_its_end():
    assert whole_process([sys.executable, "-c", "import time; time.sleep(0.1)"], dict(os.environ)) > 0.1


def test_a_failing_process_is_no_measurement():
    with pytest.raises(FaceError, match="ended with status 1: ValueError: no model"):
        whole_process([sys.executable, "-c", "raise ValueError('no model')"], dict(os.environ))
