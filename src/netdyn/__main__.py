"""`python -m netdyn`: the command line."""

from netdyn.cli import main

main()
