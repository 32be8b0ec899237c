"""Recordings through translators that are known in closed form."""

import io
import logging
import types
import wave

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import modalities
from gan_jax.commands import recordings, translate
from gan_jax.config import experiment, saved
from gan_jax.errors import UserError

RATE, LENGTH, HOP = 8000, 64, 8
MODALITY = modalities.make(
    {'name': 'waveforms', 'shape': [LENGTH, 1], 'rate': RATE, 'classes': None}
)
GENERATOR = np.random.default_rng(0)


def framed(rng, waves):
    """Sources of the other rank: each frame's samples, half as loud."""
    assert rng.shape == waves.shape[:1]
    return waves.reshape(len(waves), -1, HOP) / 2


def louder(params, aux, sources):
    return params['by'] * sources.reshape(len(sources), -1, 1)


def noise(samples):
    return GENERATOR.integers(-8000, 8000, (samples, 1), np.int16)


def save(file, samples, rate=RATE):
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), 'wb') as stream:
        stream.setnchannels(samples.shape[1])
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(samples.tobytes())


def heard(file):
    with wave.open(str(file)) as stream:
        assert (stream.getframerate(), stream.getnchannels()) == (RATE, 1)
        return np.frombuffer(stream.readframes(10**6), np.int16)[:, None]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Translates `in` to `out` by a run that makes what its frames hold four times as loud."""
    held = types.SimpleNamespace(
        game=types.SimpleNamespace(functions={'a_to_b': louder}),
        config={'game': 'pix2pix'},
        degrade=framed,
        source_shape=(LENGTH // HOP, HOP),
    )
    restored = types.SimpleNamespace(
        experiment=held, variables=lambda replica: ({'by': jnp.float32(4)}, {})
    )
    monkeypatch.setattr(
        saved,
        'read_config',
        lambda workdir: {'modality': {'name': 'waveforms', **MODALITY.settings}},
    )
    monkeypatch.setattr(experiment, 'restore', lambda workdir, best: restored)
    return lambda: translate.translate(
        tmp_path / 'run', input=str(tmp_path / 'in'), output=str(tmp_path / 'out')
    )


@pytest.mark.parametrize('largest', [128, 10_000])
@pytest.mark.parametrize('samples', [1, 63, 64, 65, 500])
def test_recordings_keep_their_length_and_level(run, tmp_path, monkeypatch, samples, largest):
    monkeypatch.setattr(recordings, 'LARGEST', largest)
    sound = noise(samples)
    save(tmp_path / 'in' / 'deep' / 'x.wav', sound)
    assert run() == 1
    made = heard(tmp_path / 'out' / 'deep' / 'x.wav')
    assert made.shape == sound.shape
    assert np.abs(made - 2 * sound.astype(int)).max() <= 1


def test_too_loud_is_clipped_and_channels_are_averaged(run, tmp_path):
    save(tmp_path / 'in' / 'x.wav', np.full((100, 2), (30_000, 10_000), np.int16))
    run()
    np.testing.assert_array_equal(heard(tmp_path / 'out' / 'x.wav'), 32767)


def test_arrays_are_sources(run, tmp_path):
    sound = noise(5 * HOP)
    (tmp_path / 'in').mkdir()
    np.save(tmp_path / 'in' / 'x.npy', MODALITY.encode(sound).reshape(5, HOP) / 2)
    run()
    made = heard(tmp_path / 'out' / 'x.npy.wav')
    np.testing.assert_array_equal(made, 2 * sound)


def test_without_degradation_recordings_are_sources(run, tmp_path, monkeypatch):
    held = experiment.restore(None, False).experiment
    held.degrade, held.source_shape = None, (LENGTH, 1)
    sound = noise(100)
    save(tmp_path / 'in' / 'x.wav', sound)
    run()
    np.testing.assert_array_equal(heard(tmp_path / 'out' / 'x.wav'), 4 * sound)


def test_other_files_are_named_and_passed_over(run, tmp_path, caplog):
    folder = tmp_path / 'in'
    save(folder / 'good.wav', noise(80))
    save(folder / 'empty.wav', noise(0))
    (folder / 'cut.wav').write_bytes(b'RIFF')
    (folder / 'notes.txt').write_text('no sound')
    np.save(folder / 'turned.npy', np.zeros((HOP + 1, 20), np.float32))
    np.save(folder / 'whole.npy', np.zeros((20, HOP), int))
    np.save(folder / 'nan.npy', np.full((20, HOP), np.nan))
    np.save(folder / 'objects.npy', np.array([{}]), allow_pickle=True)
    with caplog.at_level(logging.INFO):
        assert run() == 1
    assert [x.name for x in (tmp_path / 'out').iterdir()] == ['good.wav']
    said = caplog.text
    for reason in (
        'empty.wav cannot be read (empty)', 'cut.wav cannot be read (unreadable)',
        'notes.txt cannot be read (not a sound)',
        f'turned.npy cannot be read (of shape ({HOP + 1}, 20), not (length, {HOP}))',
        'whole.npy cannot be read (not an array of floats)',
        'nan.npy cannot be read (not finite)', 'objects.npy cannot be read (unreadable)',
        'translated 1 of 8 files',
    ):  # fmt: skip
        assert reason in said


def test_an_empty_folder_says_what_would_be_read(run, tmp_path):
    (tmp_path / 'in').mkdir()
    with pytest.raises(UserError, match=r'put recordings there that end in \.wav, \.flac, \.npy'):
        run()


def test_what_is_neither_picture_nor_sound_is_refused(run, tmp_path, monkeypatch):
    settings = {'name': 'points', 'shape': [2], 'classes': None}
    experiment.restore(None, False).experiment.modality = modalities.make(settings)
    monkeypatch.setattr(saved, 'read_config', lambda workdir: {'modality': settings})
    save(tmp_path / 'in' / 'x.wav', noise(80))
    with pytest.raises(UserError, match='translates no pictures'):
        run()


def test_a_wav_is_read_back_by_the_standard_library():
    sound = noise(33)
    with wave.open(io.BytesIO(MODALITY.recordings.content(sound))) as stream:
        np.testing.assert_array_equal(
            np.frombuffer(stream.readframes(99), np.int16)[:, None], sound
        )
