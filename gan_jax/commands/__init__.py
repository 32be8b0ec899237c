"""What each `--mode` of the command line does, but for training."""

from gan_jax.errors import UserError


def lacking(error: ModuleNotFoundError) -> UserError:
    """The line that says what whole runs need beside the core, of a package that was not found.

    Raises:
      ModuleNotFoundError: the error itself, if what is missing is a module of gan_jax.
    """
    if (error.name or '').partition('.')[0] == 'gan_jax':
        raise error
    return UserError(f"whole runs need {error.name}; pip install 'gan_jax[train]'")
