"""When this process began, in seconds since the epoch. It is imported first: importing all else may take a minute."""

from __future__ import annotations

import time

BEGAN = time.time()
