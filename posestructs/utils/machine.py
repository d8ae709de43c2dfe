"""Hardware, versions and commit, to be recorded beside a measurement, and threads of processes side by side."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import torch

PACKAGES = ('torch', 'numpy', 'opencv-python-headless', 'opencv-python', 'mmengine', 'mmcv-lite', 'mmcv', 'mmpose')
# limits of the threads of a process; both, as MKL has its own
THREAD_VARIABLES = ('OMP_NUM_THREADS', 'MKL_NUM_THREADS')


def describe_machine() -> dict[str, str | int]:
    """Describe hardware, versions and the commit of this checkout.

    Returns:
        dict[str, str | int]: ``commit`` (with ``-dirty`` where tracked files differ from it, 'unknown' outside a
        checkout), ``cpu``, ``cores`` that this process may use, ``threads`` of torch, ``gpu`` where there is one,
        ``python`` and the versions of the packages that are installed.
    """
    found = dict(commit=commit(), cpu=cpu_name(), cores=len(os.sched_getaffinity(0)), threads=torch.get_num_threads())
    if torch.cuda.is_available():
        found['gpu'] = torch.cuda.get_device_name()
    found['python'] = platform.python_version()
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    # with the kind of the build, which wheels of PyPI leave out of their metadata
    found['torch'] = str(torch.__version__)
    return found


def commit() -> str:
    """Find the commit of the checkout that this file belongs to.

    Returns:
        str: Its short hash, with ``-dirty`` where tracked files differ from it; outside a checkout, such as in a copy
        without ``.git``, what the environment variable POSESTRUCTS_COMMIT says, else 'unknown'.
    """
    command = ('git', 'describe', '--always', '--dirty', '--abbrev=7', '--exclude=*')
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done is not None and done.returncode == 0:
        return done.stdout.strip()
    return os.environ.get('POSESTRUCTS_COMMIT', 'unknown')


def threads_per_job(jobs: int) -> int:
    """Share the cores of this process among jobs that run side by side.

    Args:
        jobs (int): Number of jobs.

    Returns:
        int: Threads of each job, at least 1: its share of the cores, or fewer where the environment variable
        OMP_NUM_THREADS or MKL_NUM_THREADS limits them.
    """
    share = len(os.sched_getaffinity(0)) // jobs
    # OMP_NUM_THREADS may be a list, one number for each level of nesting
    given = [os.environ.get(name, '').split(',')[0].strip() for name in THREAD_VARIABLES]
    return max(1, min([share, *(int(number) for number in given if number.isdecimal() and int(number))]))


def environment_with_threads(threads: int) -> dict[str, str]:
    """Copy this process's environment for a job with a number of threads.

    Args:
        threads (int): Number of threads.

    Returns:
        dict[str, str]: The environment variables.
    """
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def cpu_name() -> str:
    """Name the processor, as Linux does.

    Returns:
        str: Its model, or at least its kind.
    """
    path = Path('/proc/cpuinfo')
    named = re.search(r'^model name\s*:\s*(.+)$', path.read_text(), re.MULTILINE) if path.is_file() else None
    return named.group(1) if named else platform.processor() or platform.machine()
