"""The parts of ``bench/service.py``: each measures one thing about a service that runs as it would for a team."""
