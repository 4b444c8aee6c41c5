"""TensorFlow loaded without the lines that its libraries print before any setting of theirs is heard."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import FaceError


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile; an exception lets it be shown after all."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except FaceError:
            raise  # it says all that is to be said
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
