"""``python -m rct_tools`` is ``rct``."""

from rct_tools.cli import main

main()
