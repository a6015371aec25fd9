"""`python -m odyssey`: the command line."""

import sys

from odyssey.cli import main

if __name__ == "__main__":
    sys.exit(main())
