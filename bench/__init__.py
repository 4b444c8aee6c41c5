"""Side-by-side measurements of this project and its peers; each script here is one command."""
