"""``python -m lab_helpers`` is the command ``labs``."""

from lab_helpers.cli import main

main()
