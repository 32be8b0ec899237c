"""HiFi-GAN, the vocoder of the paper, for an accelerator: a step is some TFLOP. Not run here.

Paper: HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis
(Kong et al., 2020): least squares, 2 times feature matching, 45 times the distance of mels, AdamW
2e-4 with beta1 0.8 and beta2 0.99, batches of 16 pieces of 8,192 samples. The generator is V1; V2
is --config.generator.width=128.

    python launch.py --config=configs/vocoder_hifigan.py --config.dataset=folder:data/speech/train \
--config.evaluation.dataset=folder:data/speech/test
    python launch.py --workdir=runs/vocoder_hifigan --mode=translate --input=FOLDER --output=FOLDER

Deviations: 16,000 samples a second, not 22,050; discriminators of periods and of spectra at three
resolutions, not of the sound at three scales; no weight norm; no decay of the rates; sounds are cut
once and not at random; the mean over eight judges where the paper has the sum, so that the distance
of mels weighs 45 / 8.
"""

import ml_collections

from gan_jax.configs import vocoder


def get_config() -> ml_collections.ConfigDict:
    """The paper's run."""
    config = vocoder.get_config()
    config.steps = 500_000
    config.pretraining_steps = 0
    config.perceptual.weight = 45 / 8
    config.generator = ml_collections.ConfigDict({'name': 'hifigan.Generator', 'width': 512})
    config.discriminator = ml_collections.ConfigDict({'name': 'hifigan.Discriminator', 'width': 32})
    for player in ('generator', 'discriminator'):
        config.optimizers[player].learning_rate = 2e-4
    return config
