"""Networks and the weights they run with: the zoo of public models, bundles, engines.

Nothing here knows what a face is.
"""

from networks.load import load
from networks.network import Network

__all__ = ["Network", "load"]
