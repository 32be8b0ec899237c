import itertools

import pytest

from gan_jax import sweeps


def test_a_product_turns_its_last_space_fastest():
    assert list(sweeps.product({'a.b': [1, 2]}, sweeps.seeds(2, first=5))) == [
        {'a.b': 1, 'seed': 5},
        {'a.b': 1, 'seed': 6},
        {'a.b': 2, 'seed': 5},
        {'a.b': 2, 'seed': 6},
    ]


def test_a_dict_of_lists_is_all_combinations():
    assert list(sweeps.product({'a': [1, 2], 'b': 'xy'})) == [
        {'a': 1, 'b': 'x'}, {'a': 1, 'b': 'y'}, {'a': 2, 'b': 'x'}, {'a': 2, 'b': 'y'}
    ]  # fmt: skip


def test_what_is_zipped_goes_together():
    rows = sweeps.zipped({'a': [1, 2], 'b': [3, 4]}, sweeps.seeds(2))
    assert list(rows) == [{'a': 1, 'b': 3, 'seed': 0}, {'a': 2, 'b': 4, 'seed': 1}]


def test_what_is_zipped_is_of_one_length():
    with pytest.raises(ValueError, match='shorter'):
        list(sweeps.zipped({'a': [1, 2]}, sweeps.seeds(1)))


def test_a_chain_is_one_space_after_the_other():
    chain = sweeps.chained([{}], {'a': [1, 2]}, sweeps.seeds(1))
    assert list(chain) == [{}, {'a': 1}, {'a': 2}, {'seed': 0}]


def test_spaces_are_made_of_spaces():
    inner = sweeps.chained([{}], {'b': [7]})
    assert list(sweeps.product(inner, {'a': [1]})) == [{'a': 1}, {'b': 7, 'a': 1}]


def test_one_key_in_two_spaces_is_a_mistake():
    with pytest.raises(ValueError, match='seed is in two of the spaces'):
        list(sweeps.product({'seed': [1]}, sweeps.seeds(2)))


def test_log_uniform_is_drawn_between_its_bounds():
    drawn = [x['rate'] for x in sweeps.log_uniform('rate', 1e-4, 1e-2, 2000, seed=0)]
    assert 1e-4 <= min(drawn) < 1.1e-4
    assert 9e-3 < max(drawn) <= 1e-2
    assert 900 < sum(x < 1e-3 for x in drawn) < 1100
    assert all(float(f'{x:.3g}') == x for x in drawn)


def test_log_uniform_is_the_same_for_one_seed():
    first, again, other = (
        list(sweeps.log_uniform('rate', 1e-4, 1e-2, 3, seed)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert first == [{'rate': 0.00488}, {'rate': 0.00328}, {'rate': 0.000694}]


def test_all_are_lazy():
    def endless():
        return ({'a': i} for i in itertools.count())

    assert list(itertools.islice(sweeps.chained(endless()), 2)) == [{'a': 0}, {'a': 1}]
    assert next(sweeps.zipped(endless(), endless_of('b'))) == {'a': 0, 'b': 0}


def endless_of(key):
    return ({key: i} for i in itertools.count())
