"""YAML files only; a package so that they install with the project and are found by name from any folder."""
