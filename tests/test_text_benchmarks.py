import numpy as np

from benchmarks import temperature, words


def test_words_are_small_letters_and_come_once():
    assert words.plain(["cat's", 'Cat', 'dog', 'ant', 'dog', 'café', '']) == ['ant', 'dog']


def test_a_sweep_and_a_gan_in_one_picture():
    """Where less is better, the lower point is above: the red one, to the right and on top."""
    figures = [{'real_words': x, 'oracle_nll': y} for x, y in ((0.1, 3.0), (0.3, 5.0), (0.5, 1.0))]
    every = [temperature.Point(str(i), x, i < 2) for i, x in enumerate(figures)]
    picture = temperature.plane(every, 'real_words', 'oracle_nll')
    assert picture.shape == (480, 640, 3)
    red = np.argwhere((picture == temperature.POINT).all(axis=-1)).mean(axis=0)
    blue = np.argwhere((picture == temperature.CURVE).all(axis=-1)).mean(axis=0)
    assert red[0] < blue[0]
    assert red[1] > blue[1]
