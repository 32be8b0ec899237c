"""SeqGAN on its oracle: maximum likelihood, then the policy gradient.

Paper: SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., 2017).

    python launch.py --config=configs/seqgan.py
    python launch.py --workdir=runs/seqgan --mode=evaluate --num=10000

The data are samples of a random LSTM, drawn by the program, so that the likelihood of what the
generator makes is known: `oracle_nll`, in nats a token. The maximum-likelihood model is the same
config with --config.pretraining_steps=3400.

Hardware and time: two CPU cores that much other work shared, at a low priority; three seeds'
maximum likelihood took 17 minutes, the policy gradient of one, begun from there, 8.
Score (docs/text.md has the commands, 10,000 samples, seeds 0, 1 and 2): 5.962, 5.959 and 5.947
after maximum likelihood; 5.888, 5.935 and 5.930 after 300 steps of the policy gradient with 16
roll-outs and 1,500 steps of the discriminator before them; the data have 3.890. With the 100 and 2
of this file two of three seeds went up. A temperature of .98 or .99 does as much.

Deviations: 500 tokens, not 5,000 (--config.data.vocabulary=5000), so that two CPU cores can do it;
19 epochs of maximum likelihood for 120; 2 roll-outs for 16, by the generator as it is and not by a
slower copy of it; fewer convolutions; the discriminator plays two steps for one of the
generator's, not fifteen epochs; the mean reward of the batch is taken off.
"""

import ml_collections

from gan_jax import config as config_lib

LENGTH = 20


def get_config() -> ml_collections.ConfigDict:
    """The default run; of texts of another length config.latent.size is that length."""
    config = config_lib.default()
    config.game = 'seqgan'
    config.dataset = 'oracle'
    config.data.vocabulary = 500
    config.batch_size = 64
    config.pretraining_steps = 3000
    config.discriminator_steps = 100
    config.steps = 3400
    config.steps_per_dispatch = 10
    config.roll_outs = 2
    config.generator_every = 2
    config.generator = ml_collections.ConfigDict(
        {'name': 'text.Generator', 'embedding': 32, 'width': 32, 'temperature': 1.0}
    )
    config.discriminator = ml_collections.ConfigDict(
        {'name': 'text.Discriminator', 'embedding': 64, 'features': 64, 'dropout': 0.25}
    )
    config.latent = ml_collections.ConfigDict({'name': 'uniform', 'size': LENGTH})
    rate = {'name': 'linear_schedule', 'init_value': 1e-2, 'end_value': 1e-3, 'of_steps': True}
    rate |= {'transition_begin': 0.4, 'transition_steps': 0.4}
    config.optimizers.generator = config_lib.optimizer('adam', learning_rate=rate, clip_norm=5.0)
    config.optimizers.discriminator = config_lib.optimizer('adam', learning_rate=1e-3)
    config.evaluation.metrics = ('oracle_nll', 'held_out_nll')
    config.evaluation.best = 'oracle_nll'
    config.eval_samples = 2000
    config.num_samples = 32
    config.log_every = 20
    config.sample_every = 1000
    config.checkpoint_every = 1000
    config.eval_every = 500
    return config
