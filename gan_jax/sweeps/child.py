"""Starts a trial's command so that it ends with its launcher; run by its path, needs no package.

    python child.py PARENT CORES COMMAND ...

PARENT is the launcher's process id, CORES those that the command may use, as 0,1, or '' for all.
When the launcher's thread that started this ends, however it ends, the system sends SIGTERM, so
the trial saves and ends. That is Linux's; elsewhere only the trial's lock keeps a second launcher
from running beside what the first one left.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Becomes the command."""
    parent, cores, *command = sys.argv[1:]
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(parent):  # it ended before it was listened to
            sys.exit(128 + signal.SIGTERM)
    if cores and hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, [int(x) for x in cores.split(',')])
    os.execvp(command[0], command)


if __name__ == '__main__':
    main()
