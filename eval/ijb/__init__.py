"""IJB-B and IJB-C from their official files: templates of several pictures, compared 1:1 and searched 1:N.

See Whitelam et al., IARPA Janus Benchmark-B, CVPR Workshops 2017, and Maze et al., IARPA Janus Benchmark-C, ICB 2018.
"""
