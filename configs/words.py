"""English words, letter by letter: a GAN through relaxed samples.

Papers: GANs for Sequences of Discrete Elements with the Gumbel-Softmax Distribution (Kusner &
Hernandez-Lobato, 2016); Categorical Reparameterization with Gumbel-Softmax (Jang et al., 2017).

    apt-get install wamerican wamerican-huge
    python -m benchmarks.words /usr/share/dict/american-english data/words.txt
    python -m benchmarks.words /usr/share/dict/american-english-huge data/dictionary.txt
    python launch.py --config=configs/words.py
    python launch.py --workdir=runs/words --mode=evaluate --num=5000
    python launch.py --workdir=runs/words --mode=sample --num=64

Data: the 63,875 words of small letters in Debian's list, of which a tenth is held out; new words
are looked up among the 247,033 of the huge list. The maximum-likelihood model is the same config
with --config.pretraining_steps=8500; docs/text.md has its temperatures beside this GAN's point.

Hardware and time: one CPU core that other work shared, 4 minutes.
Score (one run, 5,000 samples): 6.3 +- .4% of the samples that were not trained on are real words,
and the trigrams' divergence is .096 bits; the maximum-likelihood model has 7.0 +- .4% and .059. The
GAN does not make its generator better.

Deviations: an LSTM of 128 units; maximum likelihood first, and one-hot vectors for the
discriminator with gradients straight through, neither of which Kusner & Hernandez-Lobato have.
"""

import ml_collections

from gan_jax import config as config_lib

LENGTH = 16


def get_config() -> ml_collections.ConfigDict:
    """The default run; of texts of another length config.latent.size is that length."""
    config = config_lib.default()
    config.game = 'gumbel'
    config.dataset = 'text:data/words.txt'
    config.data.length = LENGTH
    config.data.dictionary = 'data/dictionary.txt'
    config.batch_size = 128
    config.pretraining_steps = 5000
    config.discriminator_steps = 500
    config.steps = 8500
    config.steps_per_dispatch = 10
    config.temperature = 1.0
    config.last_temperature = 0.5
    config.temperature_steps = 3000
    config.straight_through = True
    config.generator_every = 1
    config.generator = ml_collections.ConfigDict(
        {'name': 'text.Generator', 'embedding': 32, 'width': 128, 'temperature': 1.0}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'text.Discriminator', 'embedding': 32, 'features': 64, 'dropout': 0.25}
    )
    config.latent = ml_collections.ConfigDict({'name': 'uniform', 'size': LENGTH})
    rate = {'name': 'linear_schedule', 'init_value': 3e-3, 'end_value': 1e-4, 'of_steps': True}
    rate |= {'transition_begin': 0.3, 'transition_steps': 0.28}
    config.optimizers.generator = config_lib.optimizer('adam', learning_rate=rate, clip_norm=1.0)
    config.optimizers.discriminator = config_lib.optimizer('adam', learning_rate=3e-4, b1=0.5)
    config.evaluation.metrics = (
        'held_out_nll', 'ngram_divergence', 'novelty', 'real_words', 'bleu', 'self_bleu',
    )  # fmt: skip
    config.evaluation.best = 'trigram_divergence'
    config.eval_samples = 5000
    config.num_samples = 64
    config.log_every = 100
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 0
    return config
