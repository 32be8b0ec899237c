"""A vocoder for a CPU: speech from mel spectrograms, through spectra and their inverse transform.

Papers: Vocos: Closing the Gap between Time-Domain and Fourier-Based Neural Vocoders for
High-Quality Audio Synthesis (Siuzdak, 2023), the generator; HiFi-GAN: Generative Adversarial
Networks for Efficient and High Fidelity Speech Synthesis (Kong et al., 2020), the losses and the
discriminators of periods.

    python launch.py --config=configs/vocoder.py --config.dataset=folder:data/speech/train \
--config.evaluation.dataset=folder:data/speech/test
    python launch.py --workdir=runs/vocoder --mode=evaluate

Vocoding is restoration: config.corruption makes mels of the sounds, and config.baseline is
Griffin-Lim's answer to them, whose figures stand beside. Any folders of .wav and .flac files will
do; they are cut into pieces of 8,192 samples, half a second.

Score, 12,378 of the 20,000 steps, 70 minutes of processor time, 20 whole held-out clips of
festvox-ru: mel L1 .349, mel-cepstral distortion 11.5 dB, PESQ 1.30, where Griffin-Lim has .158, 7.4
and 1.99: so far it is worse in all of them (docs/sound.md).

Deviations: a quarter of the paper's width and half its blocks; no discriminators of spectra
(--config.discriminator.name=hifigan.Discriminator has them, and takes minutes to compile on a CPU);
sounds are cut once and not at random; the mean over judges where the papers have the sum, so that
the distance of mels weighs 9, a fifth of 45.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run."""
    config = config_lib.default()
    config.steps = 20_000
    config.batch_size = 16
    config.dataset = 'folder:data/speech/train'
    config.data.length = 8192
    config.corruption = ml_collections.ConfigDict({'name': 'log_mel'})
    config.baseline = ml_collections.ConfigDict({'name': 'griffin_lim'})
    config.game = 'pix2pix'
    config.objective = 'least_squares'
    config.output = 'plain'
    config.reconstruction = ml_collections.ConfigDict()
    config.perceptual = ml_collections.ConfigDict(
        {'features': 'gan_jax.restoration.sounds:speech_mels', 'weight': 9.0}
    )
    config.feature_matching = 2.0
    config.conditional = False
    config.generator_every = 1
    config.pretraining_steps = 10_000
    config.generator = ml_collections.ConfigDict(
        {'name': 'vocos.Generator', 'width': 128, 'hidden': 384, 'blocks': 4}
    )
    config.discriminator = ml_collections.ConfigDict({'name': 'hifigan.Periods', 'width': 8})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer(
            'adamw', learning_rate=5e-4, b1=0.8, b2=0.99
        )
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.evaluation.metrics = ('mel_distances', 'stft_distance')
    config.evaluation.best = 'mel_l1'
    config.evaluation.split = 'train'  # of another folder
    config.num_samples = 8
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 2000
    return config
