"""`python -m netdyn`: the command line."""

import os
import sys

# Python looks for modules in the working directory first: a random.py or torch.py of the user's
# there is not what this package means.
if not sys.flags.safe_path and sys.path[:1] in ([""], [os.getcwd()]):
    del sys.path[0]

from netdyn.cli import main

main()
