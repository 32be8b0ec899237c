"""Small runs of InfoGAN and of semi-supervised learning, from training to what is made of them."""

import json

import methods
import numpy as np
import pytest
from PIL import Image

from gan_jax.commands import evaluate, sample
from gan_jax.loop import train

TIMES = {'sample_every': 0, 'eval_every': 0, 'log_every': 2, 'checkpoint_every': 2, 'steps': 2}


def trained(name, folder, **changes):
    config = methods.shrunk(name, **(TIMES | changes))
    del config['modality']
    train(config | {'modality': {}}, folder)
    return [json.loads(x) for x in (folder / 'metrics.jsonl').read_text().splitlines()][-1]


@pytest.mark.slow
def test_infogan_is_logged_beside_its_ceiling_traversed_and_read(tmp_path):
    logged = trained('infogan', tmp_path, num_replicas=2)
    for turn in ('generator', 'discriminator'):
        assert logged[f'{turn}/category_ceiling'] == pytest.approx(2.302585, rel=1e-6)
        for seed in (0, 1):
            assert logged[f'{turn}/category_information/seed_{seed}'] < 2.302585
    files = sample.sample(tmp_path, num=4, seed=0, replica=1)
    codes = next(x for x in files if x.name == 'seed_0_replica_1_codes.png')
    wide, high = Image.open(codes).size
    columns, rows = 10, 3 * sample.ROWS
    assert (wide - 2) * rows == (high - 2) * columns
    found = evaluate.evaluate(tmp_path, num=300, changes={'metrics': ('code_accuracy',)})
    shares = found['each_seed']['code_accuracy']
    assert len(shares) == 2
    assert found['figures']['code_accuracy']['raw'] == pytest.approx(np.mean(shares))
    assert found['figures']['code_accuracy']['real'] is None


@pytest.mark.slow
def test_a_classifier_from_few_labels_is_judged_on_real_images(tmp_path):
    trained('semi_supervised', tmp_path)
    found = evaluate.evaluate(tmp_path, num=300, changes={'metrics': ('classification_error',)})
    error = found['figures']['classification_error']
    assert 0 < error['ema'] <= 1
    assert error['better'] == 'less'
    assert error['stderr'] == pytest.approx(np.sqrt(error['ema'] * (1 - error['ema']) / 300))
