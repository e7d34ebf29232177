"""``python -m sklearn_dae``: the same as the command ``sklearn-dae``."""

import sys

from sklearn_dae.cli import main

if __name__ == "__main__":
    sys.exit(main())
