"""A page that shows how well models do: curves, histograms, galleries of mistakes. See docs/report.md.

eval.report.check(folder)                               # before hours of measuring
eval.report.write(folder, measurements, sets, command="python eval/verify.py ...")
"""

from eval.report.writing import check, write

__all__ = ["check", "write"]
