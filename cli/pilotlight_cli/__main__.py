"""`python -m pilotlight_cli`, where no script is installed."""

from .main import main

main()
