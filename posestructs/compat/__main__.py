"""Print what was found: ``python -m posestructs.compat``."""

import sys

from posestructs.compat import main

if __name__ == '__main__':
    sys.argv[0] = 'python -m posestructs.compat'
    sys.exit(main())
