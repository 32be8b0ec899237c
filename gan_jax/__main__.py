"""Trains a GAN, or samples from one: what `gan-jax`, `python -m gan_jax` and launch.py do.

gan-jax --config=dcgan
gan-jax --config=dcgan --sweep --workdir=runs/sweep
gan-jax --workdir=runs/dcgan --mode=sample --num=64 --seed=0
gan-jax --workdir=runs/stylegan2 --mode=project --input=photos --output=projected
gan-jax --workdir=runs/f_anogan --mode=score --input=photos
gan-jax --list
gan-jax --version

Exit codes:
  0: done; or stopped by Ctrl-C or SIGTERM while it trained, and saved
  1: the run diverged; some trials of a sweep were not finished; or no picture could be read
     (--mode=translate, --mode=project, --mode=score)
  2: a mistake in the command line, the config or the data
  3: a file could not be read or written: no space, no permission, a failing disk
  75: one of several processes, or one that --requeue was given, was told to end by Ctrl-C, SIGTERM
    or a notice of pre-emption while it trained, and saved; schedulers start such runs again
  76: another process of the run died or did not come; start all again
  130, 143: ended by Ctrl-C, by SIGTERM, before or after the training or for the second time
"""

import contextlib
import os
import signal
import sys
from importlib import metadata
from typing import NoReturn


def stop(number: int, frame: object) -> NoReturn:
    """Ends with one line while modules are imported, which takes seconds."""
    os.write(2, f'gan_jax: ended by {signal.Signals(number).name} at its start\n'.encode())
    os._exit(128 + number)


def main() -> None:
    """Does what the command line says, and ends the process with the exit code."""
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if '--version' in sys.argv[1:]:
        print(f'gan_jax {metadata.version("gan_jax")}')
        return
    if '--list' in sys.argv[1:]:
        from gan_jax.config import overrides

        lines = [f'{name:<20} {line}\n' for name, line in overrides.listed()]
        with contextlib.suppress(BrokenPipeError):  # of `--list | head`
            os.write(1, ''.join(lines).encode())
        return
    from gan_jax.runtime import launcher

    launcher.start_if_asked(sys.argv)  # what stands below takes seconds, and it needs none of it

    from absl import app, flags

    from gan_jax import commands

    try:
        from gan_jax.commands import main as program
    except ModuleNotFoundError as error:
        print(f'gan_jax: {commands.lacking(error)}', file=sys.stderr)
        sys.exit(2)

    # What --help shows is of the script, which has neither.
    sys.modules['__main__'].__doc__ = __doc__
    for flag in flags.FLAGS.flags_by_module_dict()[program.__name__]:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    app.run(program.main, flags_parser=program.parse)


if __name__ == '__main__':
    main()
