"""Ground floor: what every package shares - errors, registries, configuration files, the user's folders, progress."""

__version__ = "0.1.0"
