"""Jobs: long work that a request asks for, and that a thread of some process does.

A new kind is a file in ``kinds`` and a line in ``KINDS``. Every process has a runner; :mod:`db.jobs` lets exactly one
of all processes have a job, and another one take it up where that one dies.
"""
