"""WaveGAN on drum hits: one second of sound from one vector, no images.

Paper: Adversarial Audio Synthesis (Donahue et al., 2019): WGAN-GP of weight 10, five steps of the
critic to one of the generator, Adam 1e-4 with beta1 0.5 and beta2 0.9, phase shuffle of 2 samples.

    python -m benchmarks.drums /usr/share/hydrogen/data/drumkits data/drums
    python launch.py --config=configs/wavegan_drums.py --config.dataset=folder:data/drums
    python launch.py --workdir=runs/wavegan_drums --mode=sample --num=16

The first line sorts the hits of the Debian package hydrogen-drumkits: 360 of 14 kits, five kinds.
Any folder of .wav and .flac files will do; its first folders are classes. Files are averaged to one
channel and brought to 16,000 samples a second, and the first 16,384 samples are taken. Samples are
written as .npz and as .wav.

Hardware and time: two CPU cores that other work shared, one hour.
Score, one run: of 1,000 samples a classifier of real hits (python -m benchmarks.drum_classes) names
75% hihat, 17% snare, 5% cymbal and 2% kick, 15% of them with confidence; of real hits it did not
see 57%. Hits begin, fade and differ in length as real ones do; most are no one kind of drum yet.

Deviations: an eighth of the width, so that a CPU can do it; each example of a batch is shifted by a
number of samples of its own; samples come from running averages of the generator.
"""

import ml_collections

from gan_jax import config as config_lib


def get_config() -> ml_collections.ConfigDict:
    """The default run; --config.generator.width=64 and the discriminator's are the paper's."""
    config = config_lib.default()
    config.steps = 10_000
    config.steps_per_dispatch = 5
    config.batch_size = 32
    config.dataset = 'folder:data/drums'
    config.data.length = 16_384
    config.data.pieces = 'first'
    config.objective = 'wasserstein'
    config.penalties.gradient_penalty = ml_collections.ConfigDict({'weight': 10.0})
    config.generator = ml_collections.ConfigDict({'name': 'wavegan.Generator', 'width': 8})
    config.discriminator = ml_collections.ConfigDict({'name': 'wavegan.Discriminator', 'width': 8})
    config.latent = ml_collections.ConfigDict({'name': 'uniform', 'size': 100})
    for player in ('generator', 'discriminator'):
        config.optimizers[player] = config_lib.optimizer('adam', learning_rate=1e-4, b1=0.5, b2=0.9)
    config.generator_every = 5
    config.ema.generator = ml_collections.ConfigDict({'half_life': 5000, 'ramp_up': 0.05})
    config.num_samples = 16
    config.sample_every = 1000
    config.checkpoint_every = 1000
    return config
