"""Which kinds of drum generated hits are, named by a classifier of real ones.

    python launch.py --workdir=runs/wavegan_drums --mode=sample --num=1000
    python -m benchmarks.drum_classes data/drums runs/wavegan_drums/generated/seed_0.npz

The classifier shares nothing with `gan_jax`'s networks: a logistic regression of the mel
spectrograms that stand under the waveforms in pictures, 64 x 64, in their first 40 principal
components. It is judged on hits that it was not trained on, five folds of them, and then trained on
all. Printed are that accuracy, and that on kits no hit of which it was trained on; of unseen hits
and of samples the share that is named with a confidence over 0.8 and the share of each kind; and
how loud both are. Noise as loud as the hits stands beside the samples, since a classifier must call
all that it is given by some name. Needs the extra `test`.
"""

import argparse
import pathlib

import numpy as np
from sklearn import decomposition, linear_model, model_selection, pipeline, preprocessing

from gan_jax.data import sounds
from gan_jax.modalities import waveforms

RATE, LENGTH, FOLDS, SURE = 16_000, 16_384, 5, 0.8


def hits(folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(int16 [n, samples, 1], kinds [n], kits [n]); cut and filled up as training data are."""
    read, files = sounds.reader('drums'), sounds.files(str(folder))
    waves = np.zeros((len(files), LENGTH, 1), np.int16)
    for wave, file in zip(waves, files, strict=True):
        samples = sounds.quantized(read(file, RATE))[:LENGTH]
        wave[: len(samples), 0] = samples
    kinds = np.array([file.parent.name for file in files])
    return waves, kinds, np.array([file.name.partition('_')[0] for file in files])


def features(waves: np.ndarray) -> np.ndarray:
    pictures = waveforms.spectrograms(waves, RATE)
    return pictures.reshape(len(pictures), -1) / 255.0


def classifier() -> pipeline.Pipeline:
    return pipeline.make_pipeline(
        decomposition.PCA(40, random_state=0),
        preprocessing.StandardScaler(),
        linear_model.LogisticRegression(C=0.1, max_iter=1000),
    )


def loudness(waves: np.ndarray) -> np.ndarray:
    """Root mean squares, of full scale."""
    return np.sqrt(np.mean((waves / 32768.0) ** 2, axis=(1, 2)))


def show(name: str, probabilities: np.ndarray, kinds: np.ndarray, waves: np.ndarray) -> None:
    named = kinds[probabilities.argmax(axis=1)]
    shares = ', '.join(f'{kind} {100 * np.mean(named == kind):.1f}%' for kind in kinds)
    sure = 100 * np.mean(probabilities.max(axis=1) > SURE)
    loud = loudness(waves)
    print(
        f'{name:8} {len(waves):5}  sure {sure:5.1f}%  {shares};  loudness {loud.mean():.3f} '
        f'(deviation {loud.std():.3f})'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('hits', type=pathlib.Path)
    parser.add_argument('samples', type=pathlib.Path)
    args = parser.parse_args()
    real, kinds, kits = hits(args.hits)
    found, names = features(real), np.unique(kinds)
    folds = model_selection.StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    unseen = {
        name: model_selection.cross_val_predict(
            classifier(), found, kinds, groups=groups, cv=folds, method='predict_proba'
        )
        for name, groups in (('hits', np.arange(len(real))), ('kits', kits))
    }
    rights = {name: np.mean(names[x.argmax(axis=1)] == kinds) for name, x in unseen.items()}
    words = ', '.join(f'of unseen {name} {100 * x:.1f}%' for name, x in rights.items())
    print(f'{len(real)} hits of {len(np.unique(kits))} kits; named as they are: {words}')
    judge = classifier().fit(found, kinds)
    made = np.load(args.samples)['waveforms']
    noise = np.random.default_rng(0).normal(0, 32768 * loudness(real).mean(), made.shape)
    show('real', unseen['hits'], names, real)
    noise = np.clip(noise, -32768, 32767).astype(np.int16)
    for name, waves in (('samples', made), ('noise', noise)):
        show(name, judge.predict_proba(features(waves)), names, waves)


if __name__ == '__main__':
    main()
