"""The start from a clone: `python launch.py` is `gan-jax`; see gan_jax/__main__.py."""

from gan_jax.__main__ import main

if __name__ == '__main__':
    main()
