"""The README followed from top to bottom, in one folder, each command in shortened form."""

import io
import re
import shlex

import methods
import numpy as np
import pytest
from PIL import Image

README = (methods.ROOT / 'README.md').read_text()
# The set-up and the tests are what runs this file; npm fetches; weights, PyTorch are not at hand.
LEFT_OUT = (
    'python -m venv', '. .venv', 'pip install', 'python -m pytest', 'python -m benchmarks',
    '--features=inception:',
)  # fmt: skip
SHORT = {
    'steps': 10,
    'batch_size': 8,
    'log_every': 5,
    'sample_every': 5,
    'checkpoint_every': 5,
    'num_samples': 9,
    'eval_samples': 32,
}
SHORT_OF_POINTS = {'steps': 100, 'log_every': 50, 'sample_every': 50, 'checkpoint_every': 50}
PREPARED = {
    'mnist': ('3.0.1', (28, 28, 1)),
    'fashion_mnist': ('3.0.1', (28, 28, 1)),
    'cifar10': ('3.0.2', (32, 32, 3)),
}


def commands():
    """The indented ones outside blocks of Python, whole, without what a # says of them."""
    text = re.sub(r'```.*?```', '', README, flags=re.DOTALL).replace('\\\n', ' ')
    lines = re.findall(r'^ {4}(\S.*)$', text, re.MULTILINE)
    return [part.split('  #')[0].strip() for line in lines for part in line.split(' && ')]


def shortened(command, home):
    """(environment, arguments of launch.py)"""
    words = shlex.split(command.replace('$HOME', str(home)))
    environment = dict(word.split('=', 1) for word in words if re.match(r'[A-Z_]+=', word))
    words = words[len(environment) :]
    assert words[:2] == ['python', 'launch.py'], command
    words = words[2:]
    if any(word.startswith('--config=') for word in words):
        short = SHORT | (SHORT_OF_POINTS if '--config=configs/ring8.py' in words else {})
        series = '--config=configs/r3gan_series.py' in words
        if series:  # which has more steps to a dispatch than to a line
            short['steps_per_dispatch'] = short['log_every']
        watched = any('eval_every' in word for word in words)
        short['eval_every'] = short['log_every'] if watched else 0
        names = {f'--config.{key}': value for key, value in short.items()}
        words = [word for word in words if word.split('=')[0] not in names]
        words += [f'{name}={value}' for name, value in names.items()]
        if any(f'--config.dataset={name}' in words for name in PREPARED):
            words.append(f'--config.data.data_dir={home / "tensorflow_datasets"}')
        if '--config=configs/ring8.py' not in words and not series:
            width = 'channel_max' if '--config=configs/stylegan2_digits.py' in words else 'width'
            words += [f'--config.{player}.{width}=4' for player in ('generator', 'discriminator')]
    elif '--mode=evaluate' in words and not any(word.startswith('--num=') for word in words):
        words.append('--num=32')
    words = [re.sub(r'^--num=.*', '--num=32', word) for word in words]
    # Twelve trainings one after the other would take minutes; tests/sweeps has some.
    words = ['--sweep=print' if word == '--sweep' else word for word in words]
    if '--mode=compare' in words:  # what was trained before, on this page
        words = ['--mode=compare', '--workdir=runs', '--figure=sliced_wasserstein']
    words = [word.replace('image_size=64', 'image_size=32') for word in words]
    places = {
        '--input=FOLDER': f'--input={home / "in"}',
        '--output=FOLDER': f'--output={home / "out"}',
    }
    return environment, [places.get(word, word) for word in words]


def picture(rng, shape):
    stream = io.BytesIO()
    pixels = rng.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels[..., 0] if shape[-1] == 1 else pixels).save(stream, 'png')
    return stream.getvalue()


def prepare(name, version, shape, folder):
    """A TFDS set of this name with 200 random images, and 20 for tests."""
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)

    def info(self):
        features = {
            'image': tfds.features.Image(shape=shape),
            'label': tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def examples(self, num):
        for i in range(num):
            yield i, {'image': picture(rng, shape), 'label': i % 10}

    def generators(self, _):
        return {'train': examples(self, 200), 'test': examples(self, 20)}

    with tfds.core.registered.skip_registration():
        builder = type(
            'Prepared',
            (tfds.core.GeneratorBasedBuilder,),
            {
                'name': name,
                'VERSION': tfds.core.Version(version),
                '_info': info,
                '_split_generators': generators,
                '_generate_examples': examples,
                '__module__': __name__,
            },
        )
    builder(data_dir=folder, file_format='array_record').download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )


@pytest.fixture
def home(tmp_path):
    """What the README takes for granted: photographs, prepared sets, drawings, samples."""
    rng = np.random.default_rng(0)
    for folder, shape in (('photos', (28, 28, 1)), ('faces', (64, 64, 3)), ('in', (64, 64, 3))):
        for i in range(40 if folder != 'in' else 3):
            file = tmp_path / folder / f'{i}.png'
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(picture(rng, shape))
    for split in ('train', 'test'):
        for maker in ('google', 'twitter'):
            folder = tmp_path / 'data' / 'emoji' / split / maker
            folder.mkdir(parents=True)
            for i in range(40):
                (folder / f'{i:04}.png').write_bytes(picture(rng, (64, 64, 3)))
    for name, (version, shape) in PREPARED.items():
        prepare(name, version, shape, tmp_path / 'tensorflow_datasets')
    np.savez(tmp_path / 'samples.npz', images=rng.integers(0, 256, (40, 28, 28, 1), np.uint8))
    (tmp_path / 'configs').symlink_to(methods.ROOT / 'configs')
    return tmp_path


def test_what_is_left_out_is_not_the_rest():
    left = [x for x in commands() if not x.startswith(LEFT_OUT) and LEFT_OUT[-1] not in x]
    assert len(left) >= 20
    assert all('launch.py' in x for x in left)


@pytest.mark.slow
def test_every_command_does_what_it_says(home, server):
    for command in commands():
        if command.startswith(LEFT_OUT) or LEFT_OUT[-1] in command:
            continue
        environment, arguments = shortened(command, home)
        code, printed = server.run(*arguments, cwd=str(home), HOME=str(home), **environment)
        assert code == 0, f'{command}\n{arguments}\n{printed}'
    assert (home / 'runs' / 'dcgan' / 'report.html').exists()
    assert len(list((home / 'out').iterdir())) == 3
