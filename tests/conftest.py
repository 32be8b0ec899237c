"""Eight virtual devices, strict types and shapes."""

import gc
import importlib.metadata
import itertools
import os
import pathlib

DEVICES = 8

# Before the backend starts. Tests compile more than they run, hence without optimisation; and
# two cores' own thread pool would deadlock in collectives.
os.environ['XLA_FLAGS'] = (
    f'--xla_force_host_platform_device_count={DEVICES} --xla_backend_optimization_level=0'
)
if importlib.metadata.version('jaxlib').startswith('0.10.'):
    # Its new emitters of fusions take most of the time there; later versions have no such flag, and
    # end the process at one that they do not know.
    os.environ['XLA_FLAGS'] += ' --xla_cpu_use_fusion_emitters=false'
os.environ['PJRT_NPROC'] = '16'
os.environ['JAX_PLATFORMS'] = 'cpu'

import command_line  # noqa: E402
import in_memory  # noqa: E402
import jax  # noqa: E402
import programs  # noqa: E402
import pytest  # noqa: E402

from gan_jax import game  # noqa: E402

jax.config.update('jax_numpy_dtype_promotion', 'strict')
jax.config.update('jax_numpy_rank_promotion', 'raise')
programs.share()


# optax's Adam raises a float to an integer power: libraries get the standard promotion.
_apply_gradients = game.Player.apply_gradients


def _apply_gradients_with_standard_promotion(self, **kwargs):
    with jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'):
        return _apply_gradients(self, **kwargs)


game.Player.apply_gradients = _apply_gradients_with_standard_promotion


# What is imported stays: Python would look through all of it thousands of times.
gc.freeze()
gc.set_threshold(50_000, 20, 20)


# Longest first, so that no process ends with one of them while the other is done.
HEAVIEST = (
    'test_readme.py',
    'test_bad_values.py',
    'test_several_processes.py',
    'test_standard_errors.py',
    'test_cli.py',
    'test_conformance.py',
    'test_train.py',
    'test_train_styles.py',
    'test_pairs.py',
    'test_api.py',
    'test_own_parts.py',
    'test_penalties.py',
    'test_convolution.py',
    'test_mistakes.py',
    'test_translate.py',
    'test_game.py',
)


def pytest_collection_modifyitems(items):
    places = {name: i for i, name in enumerate(HEAVIEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope='session')
def server():
    """Runs command lines, one after the other, sooner than new processes would."""
    started = command_line.Server()
    yield started
    started.close()


@pytest.fixture
def bucket(monkeypatch):
    """A bucket in memory, as a path."""
    yield in_memory.bucket(monkeypatch)
    in_memory.backend.fsspec_backend._get_filesystem.cache_clear()


@pytest.fixture(scope='session', autouse=True)
def eight_devices():
    assert jax.local_device_count() == DEVICES


ENDED = itertools.count(1)


@pytest.fixture(autouse=True)
def room_for_compiled_programs():
    """Lets them go before there are too many: each has memory maps, and Linux allows 65,530."""
    yield
    maps = pathlib.Path('/proc/self/maps')
    if next(ENDED) % 10 or not maps.exists():  # to count them takes as long as many a test
        return
    if maps.read_bytes().count(b'\n') > 50_000:
        jax.clear_caches()
        programs.KEPT.clear()
        gc.collect()
